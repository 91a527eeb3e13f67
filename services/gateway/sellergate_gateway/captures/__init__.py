"""Captures of an account's exchanges with Amazon for operators and its user: audited, redacted and limited in time."""
