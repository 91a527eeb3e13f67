"""Batches of calls, two milliseconds long, in a busy process: a wake-up of the loop costs as much as a call's work.

While the loop is idle at least half of the time, no call waits for a batch (ADR 0017).
"""

import asyncio

from sellergate_gateway.quota.limiter import WrappedLimiter
from sellergate_gateway.quota.ports import Admission, BucketSet, Limiter

BATCH_SECONDS = 0.002
BUSY_CALLS_A_SECOND = 1_500
WINDOW_SECONDS = 0.1


class Batcher:
    """The batches of all calls of a process. The process is busy after the given number of calls in the previous window."""

    def __init__(self) -> None:
        self._busy = False
        self._calls = 0
        self._window_ends = 0.0
        self._next = 0.0
        self._waiting: list[asyncio.Future[None]] = []

    async def join_batch(self) -> None:
        """Wait for the end of this batch. Return at once if the process is not busy or the last batch is over."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        if now >= self._window_ends:
            self._busy = self._calls >= BUSY_CALLS_A_SECOND * WINDOW_SECONDS
            self._window_ends, self._calls = now + WINDOW_SECONDS, 0
        self._calls += 1
        if not self._waiting:
            if not self._busy or now >= self._next:
                self._next = now + BATCH_SECONDS
                return
            loop.call_at(self._next, self._release)
        future = loop.create_future()
        self._waiting.append(future)
        await future

    def _release(self) -> None:
        waiting, self._waiting = self._waiting, []
        self._next = asyncio.get_running_loop().time() + BATCH_SECONDS
        for future in waiting:
            if not future.done():
                future.set_result(None)


class BatchedLimiter(WrappedLimiter):
    """A wrapper of another limiter that checks calls in batches."""

    def __init__(self, inner: Limiter, batcher: Batcher) -> None:
        super().__init__(inner)
        self._batcher = batcher

    async def acquire(self, buckets: BucketSet, longest: float) -> Admission:
        """Pass all buckets. Raises QuotaExceeded."""
        await self._batcher.join_batch()
        return await self._inner.acquire(buckets, longest)
