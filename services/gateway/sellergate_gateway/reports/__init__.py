"""Reports from the request to the last byte, requested once for all callers that ask at the same time."""
