"""Login with Amazon over HTTPS: grants exchanged for access tokens, its responses read, and the bound on exchanges."""
