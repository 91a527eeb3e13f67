"""Login with Amazon, STS and consent pages, with the tokens and signatures that they issue and verify."""
