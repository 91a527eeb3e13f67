"""Mutual TLS between services: certificates and their renewal, SPIFFE ids, and the policy of allowed callers."""
