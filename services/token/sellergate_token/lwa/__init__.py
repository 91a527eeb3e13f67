"""Login with Amazon over HTTPS: the exchange of grants for access tokens, and the parsing of its responses."""
