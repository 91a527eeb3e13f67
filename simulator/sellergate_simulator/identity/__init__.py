"""Login with Amazon, STS and consent pages, with the tokens and signatures that they give and check."""
