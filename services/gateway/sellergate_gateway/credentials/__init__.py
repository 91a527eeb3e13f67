"""The credentials of calls: access tokens, Restricted Data Tokens and AWS credentials, and their selection."""
