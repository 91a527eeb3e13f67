"""Secrets: the keys that seal them, opened by AWS KMS where they are wrapped, and the rotation of client secrets."""
