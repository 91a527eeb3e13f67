"""Operators' work on many rows: legacy import, re-wrapping of secrets, verification of rows and of the audit log."""
