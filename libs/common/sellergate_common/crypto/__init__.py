"""Sealing of secrets with a key ring, and keys that AWS KMS wraps."""
