"""Look-ups of host names, each name in its own threads: silent name servers of one name delay no other.

uvloop has four threads for the look-ups of a whole process, and a resolver that waits for silent name servers holds its thread
for up to half a minute. Connections that uvloop opens by itself, such as those to Redis, keep these four to themselves.
"""

import ipaddress
import socket
from functools import partial
from typing import Any

import uvloop

from sellergate_common.blocking.threads import Threads

# A second look-up may succeed where a packet of the first one was lost.
THREADS_OF_A_NAME = 2


class Loop(uvloop.Loop):
    """uvloop's event loop, with look-ups of each name in its own threads."""

    def __init__(self) -> None:
        super().__init__()
        self._names: dict[object, Threads] = {}

    async def getaddrinfo(self, host: Any, port: Any, **hints: int) -> Any:
        """Return the addresses of a name as socket.getaddrinfo does. Raises OSError."""
        if host is None or _is_literal(host):
            return await super().getaddrinfo(host, port, **hints)
        for idle in [name for name, threads in self._names.items() if threads.idle]:
            del self._names[idle]
        threads = self._names.setdefault(host, Threads("names", THREADS_OF_A_NAME))
        return await threads.run(partial(socket.getaddrinfo, host, port, **hints))


def _is_literal(host: str | bytes) -> bool:
    try:
        ipaddress.ip_address(host.decode("latin-1") if isinstance(host, bytes) else host)
    except ValueError:
        return False
    return True
