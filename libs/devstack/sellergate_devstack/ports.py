"""TCP ports of this machine: free ones, and who stands in the way."""

import random
import socket

LOOPBACK = "127.0.0.1"
# Below the range from which systems take the ports of outgoing connections: nobody grabs one while its process restarts.
_FIRST, _LAST = 10_000, 30_000


def free_ports(count: int) -> list[int]:
    """Return `count` different ports that nobody listens on now."""
    found: list[int] = []
    while len(found) < count:
        port = free_row(1)[0]
        if port not in found:
            found.append(port)
    return found


def free_row(length: int) -> list[int]:
    """Return `length` ports in a row that nobody listens on now."""
    while True:
        first = random.randrange(_FIRST, _LAST - length)  # noqa: S311  (chance keeps runs apart; nothing is secret)
        row = list(range(first, first + length))
        if not any(is_taken(port) for port in row):
            return row


def is_taken(port: int) -> bool:
    """Tell whether somebody listens on a port of this machine."""
    with socket.socket() as probe:
        # As the servers do it: a connection that is still closing down is no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return True
    return False
