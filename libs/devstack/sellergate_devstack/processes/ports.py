"""TCP ports of this machine: free ones, and those in use."""

import random
import socket
from collections.abc import Collection

LOOPBACK = "127.0.0.1"
# Below the range for outgoing connections, so that no other process takes a port while its process restarts.
_FIRST, _LAST = 10_000, 30_000
# Ports that were returned before: their processes may start to listen later.
_handed_out: set[int] = set()


def free_ports(count: int, besides: Collection[int] = ()) -> list[int]:
    """Return `count` ports on which no process listens now, which were not returned before, and which are not in `besides`."""
    return [free_row(1, besides)[0] for _ in range(count)]


def free_row(length: int, besides: Collection[int] = ()) -> list[int]:
    """Return `length` consecutive free ports."""
    while True:
        first = random.randrange(_FIRST, _LAST - length)  # noqa: S311  (chance keeps runs apart; nothing is secret)
        row = list(range(first, first + length))
        if not any(port in besides or port in _handed_out or is_taken(port) for port in row):
            _handed_out.update(row)
            return row


def is_taken(port: int) -> bool:
    """Return whether a process listens on a port of this machine."""
    with socket.socket() as probe:
        # As the servers do: a connection in TIME_WAIT is no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return True
    return False
