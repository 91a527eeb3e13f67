"""Bounds of what a stranger may send; docs/limits.md shows all of them."""

MAX_HEADERS = 100
MAX_HEADER_BYTES = 32 * 1024
"""Of a request line with its headers, of trailers, and of whatever else is no body."""
HEADER_SECONDS = 10.0
"""From the connection, or from the first byte of a further request, to the end of the headers."""
KEEP_ALIVE_SECONDS = 15
"""Between two requests on one connection."""
KEEP_ALIVE_OF_PROXY_SECONDS = 75
"""The same for a listed proxy. Load balancers keep idle connections for 60 s by default, and must be the first to close them."""
WRITE_SECONDS = 60.0
"""For a client to take what was written to it."""
HANDSHAKE_SECONDS = 10.0
"""For TLS."""
MAX_PIPELINED = 8
"""Requests that wait on one connection for the response to an earlier one."""
BACKLOG = 512
