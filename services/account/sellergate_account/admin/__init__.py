"""Operators' work on many rows: legacy import, re-wrapping of secrets, verification of the audit log."""
