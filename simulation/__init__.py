"""Deterministic simulation: several replicas of token, account and gateway in one process, under faults that a seed decides."""
