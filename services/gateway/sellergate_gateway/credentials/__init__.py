"""What a call is made with: access tokens, Restricted Data Tokens and AWS credentials, and the choice among them."""
