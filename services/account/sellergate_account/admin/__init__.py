"""Operators' work on many rows: import from a former system, re-wrapping of secrets, verification of rows and of the audit log."""
