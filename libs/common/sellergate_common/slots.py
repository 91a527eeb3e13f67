"""Slots: the bound on concurrent requests to a peer, and a health check of whether the peer responds at all."""

import asyncio
from collections.abc import Callable

# All slots in use for these seconds without a response: the client cannot send, whatever the reason.
STUCK_SECONDS = 15.0


class Slots:
    """A pool of `most` slots for requests to a peer. `now` is monotonic, in seconds.

    The bound is outside the client's connection pool, so that no request waits inside that pool, where nothing counts it.
    """

    def __init__(self, peer: str, most: int, now: Callable[[], float]) -> None:
        self.most = most
        self._peer = peer
        self._now = now
        self._free = asyncio.Semaphore(most)
        self._taken = 0
        self._full_since: float | None = None

    @property
    def free(self) -> int:
        """The number of free slots."""
        return self.most - self._taken

    async def take(self) -> None:
        """Take a slot; wait for one until the caller cancels."""
        await self._free.acquire()
        self._taken += 1
        if not self.free and self._full_since is None:
            self._full_since = self._now()

    def give_back(self, *, has_response: bool) -> None:
        """Return a slot; `has_response`: a response arrived, so the client works, however many requests wait."""
        self._taken -= 1
        self._free.release()
        if has_response or not self._free.locked():
            self._full_since = None

    def problem(self) -> str:
        """Return the problem in a few words; empty while none is known."""
        if self._full_since is None or self._now() - self._full_since < STUCK_SECONDS:
            return ""
        return f"all {self.most} connections to {self._peer} wait for a response"
