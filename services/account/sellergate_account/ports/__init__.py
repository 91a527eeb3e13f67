"""The ports of the account domain: transactions with their repositories, the secret store, and the errors that adapters raise."""
