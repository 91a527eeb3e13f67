"""The memory of request bodies, bounded for each user and for the process.

Responses are not counted: their size is known only when the gateway has sent them. See docs/limits.md for what they take.
"""

from collections import Counter

from sellergate_common.errors import Overloaded, QuotaExceeded

MAX_BUFFERED_BYTES = 12 * 1024 * 1024
"""Each byte is in memory at most twice: as the edge and as gRPC hold it."""
MAX_BUFFERED_BYTES_OF_USER = 11 * 1024 * 1024
"""The largest body, and small ones beside it."""
_RETRY_SECONDS = 1.0


class Buffers:
    """The bodies in memory. Each stays counted until its request ends, because it is copied on its way to the gateway."""

    def __init__(self, most: int = MAX_BUFFERED_BYTES, most_of_user: int = MAX_BUFFERED_BYTES_OF_USER) -> None:
        self._most = most
        self._most_of_user = most_of_user
        self._by_user: Counter[str] = Counter()
        self.held = 0

    def hold(self, user: str, size: int) -> None:
        """Add bytes of a user's body; an empty name is for all requests without a user. Raises QuotaExceeded, Overloaded."""
        if self._by_user[user] + size > self._most_of_user:
            raise QuotaExceeded(
                f"This user's requests hold more than {self._most_of_user} bytes at once; wait for their responses.",
                metadata={"limit": "buffered_bytes_of_user"},
                retry_after=_RETRY_SECONDS,
            )
        if self.held + size > self._most:
            raise Overloaded(
                "Too many large requests are in progress. Send the request again.", retry_after=_RETRY_SECONDS
            )
        self.held += size
        self._by_user[user] += size

    def drop(self, user: str, size: int) -> None:
        """Subtract bytes of a user's body."""
        self.held -= size
        self._by_user[user] -= size
        if self._by_user[user] <= 0:
            del self._by_user[user]


class Lease:
    """The buffered bytes of one request."""

    def __init__(self, buffers: Buffers) -> None:
        self._buffers = buffers
        self._held: Counter[str] = Counter()

    def hold(self, user: str, size: int) -> None:
        """Hold bytes until the request ends. Raises QuotaExceeded, Overloaded."""
        self._buffers.hold(user, size)
        self._held[user] += size

    def end(self) -> None:
        """Release all bytes."""
        for user, size in self._held.items():
            self._buffers.drop(user, size)
        self._held.clear()
