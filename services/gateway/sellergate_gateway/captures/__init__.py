"""Captures of an account's exchanges with Amazon for an operator: audited, redacted and limited in time."""
