"""Access tokens of accounts and applications: one exchange with LWA for all callers, and a cache in Redis."""
