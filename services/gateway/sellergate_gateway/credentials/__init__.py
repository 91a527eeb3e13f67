"""Credentials of a call: access tokens, Restricted Data Tokens and AWS credentials, and the choice among them."""
