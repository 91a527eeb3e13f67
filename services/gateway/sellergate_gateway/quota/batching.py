"""Batches of calls, two milliseconds long, in a busy process: a wake-up of the loop costs as much as a call's work.

The lateness of the event loop decides whether a process is busy, and no number of calls, so that slow machines batch as fast
ones do. A single call in its process never waits (ADR 0017).
"""

import asyncio
from collections.abc import Callable

from sellergate_gateway.quota.limiter import WrappedLimiter
from sellergate_gateway.quota.ports import Admission, BucketSet, Limiter

BATCH_SECONDS = 0.002
LATE_SECONDS = 0.0005
"""The mean lateness of the loop from which on it is busy: a call that waits for its batch then loses no time."""
SAMPLE_SECONDS = 0.005
# The weight of the newest sample in the mean: the effect of a single one fades within a few others.
_WEIGHT = 0.2


class Batcher:
    """The batches of all calls of a process. `now` is a clock in seconds, finer than that of the loop.

    The loop is late by the time that a callback which is ready waits behind others, if these include another call.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._late = 0.0
        self._calls = 0
        self._next_sample = 0.0
        self._next = 0.0
        self._waiting: list[asyncio.Future[None]] = []

    async def join_batch(self) -> None:
        """Wait for the end of this batch. Return at once if the process is not busy or the last batch is over."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        self._calls += 1
        if now >= self._next_sample:
            self._next_sample = now + SAMPLE_SECONDS
            loop.call_soon(self._sample, self._now(), self._calls)
        if not self._waiting:
            if self._late < LATE_SECONDS or now >= self._next:
                self._next = now + BATCH_SECONDS
                return
            loop.call_at(self._next, self._release)
        future = loop.create_future()
        self._waiting.append(future)
        await future

    def _sample(self, due: float, calls: int) -> None:
        late = self._now() - due if self._calls > calls else 0.0
        self._late += _WEIGHT * (late - self._late)

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
