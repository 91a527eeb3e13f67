"""Caches of a process and of all replicas: sealed entries in Redis, single flight, leases and invalidation."""
