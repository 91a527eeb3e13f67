"""Slots: the bound on what is under way towards a peer at once, and whether the peer still gives any of them back."""

import asyncio
from collections.abc import Callable

# All slots taken for this long without one response: the client cannot send, whatever the reason.
STUCK_SECONDS = 15.0


class Slots:
    """`most` slots towards a peer. `now` is monotonic, in seconds.

    The bound is outside of the client's own pool, so that no request ever waits inside of it: a request that is cancelled
    there may take its connection along (httpcore's pool loses it for good).
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
        """Take a slot, after waiting for one for as long as the caller allows."""
        await self._free.acquire()
        self._taken += 1
        if not self.free and self._full_since is None:
            self._full_since = self._now()

    def give_back(self, *, answered: bool) -> None:
        """Give a slot back; `answered`: a response came, so that the client works, however many wait."""
        self._taken -= 1
        self._free.release()
        if answered or not self._free.locked():
            self._full_since = None

    def problem(self) -> str:
        """Return the problem in a few words; empty while there is none or nothing is known."""
        if self._full_since is None or self._now() - self._full_since < STUCK_SECONDS:
            return ""
        return f"all {self.most} connections to {self._peer} wait for a response"
