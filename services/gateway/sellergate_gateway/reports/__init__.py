"""Reports from the request to the last byte, requested once for all simultaneous callers."""
