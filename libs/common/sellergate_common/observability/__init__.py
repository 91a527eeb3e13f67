"""Structured logs, their redaction, Prometheus metrics and traces."""
