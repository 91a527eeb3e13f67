"""Reports from the request to the last byte, requested once for all callers of the same moment."""
