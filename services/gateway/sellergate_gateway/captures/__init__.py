"""Captures of an account's exchanges with Amazon for an operator: audited, redacted and bounded in time."""
