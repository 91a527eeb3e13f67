"""The history of an account over REST: its recent calls and its audit trail."""
