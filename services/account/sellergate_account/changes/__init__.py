"""Changes of stored data: retried after a conflict, made once for each idempotency key, and published."""
