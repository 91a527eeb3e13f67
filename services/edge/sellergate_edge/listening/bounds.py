"""Bounds on what any client may send. docs/limits.md lists all of them."""

MAX_HEADERS = 100
MAX_HEADER_BYTES = 32 * 1024
"""Bytes of a request line with its headers, of trailers, and of everything else that is not a body."""
HEADER_SECONDS = 10.0
"""From the connection, or from the first byte of another request, to the end of the headers."""
PROBE_KEEP_ALIVE_SECONDS = 15
"""Between two requests on one connection to the health port; a setting has that of the public port."""
WRITE_SECONDS = 60.0
"""For a client to receive what was written to it."""
HANDSHAKE_SECONDS = 10.0
"""For the TLS handshake."""
LINGER_SECONDS = 2.0
"""For a client to finish sending, after a response that ends its connection."""
LINGER_BYTES = 10 * 1024 * 1024
"""Of a request that is read and discarded in that time: the largest body of a call."""
MAX_LINGERING_REFUSALS = 64
"""Connections beyond the bound that get this time too; more of them are closed at once."""
MAX_PIPELINED = 8
"""Requests that wait on one connection for the response to an earlier one."""
BACKLOG = 512
