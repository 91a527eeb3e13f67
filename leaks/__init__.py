"""The hunt for leaked secrets: canaries go through every path of a running suite, and then every place is searched for them."""
