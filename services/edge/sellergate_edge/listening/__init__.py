"""The public listener: connections, headers and times within bounds, and TLS."""
