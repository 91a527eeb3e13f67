"""Wakes those who wait for another's lease, when it is given back."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from redis.asyncio import Redis

from sellergate_common.cache.invalidation import InvalidationFeed
from sellergate_common.cache.lease import lease_keys

# How long to wait before the lease itself is looked at: while word of releases is heard, and while it is not.
_CONNECTED_SECONDS, _DISCONNECTED_SECONDS = 1.0, 0.1


class LeaseNotifier:
    """One listener for all waiters of this process.

    `now` is monotonic. `changes` must subscribe to the channel of releases and pass them on to `forget`.
    """

    def __init__(self, redis: Redis, changes: InvalidationFeed, now: Callable[[], float]) -> None:
        self._redis = redis
        self._now = now
        self._changes = changes
        self._waiters: dict[str, asyncio.Event] = {}

    async def wait(self, key: str, seconds: float) -> None:
        """Wait until the lease of `key` is given back or has expired, `seconds` at most. Raises what Redis raises."""
        lease, _ = lease_keys(key)
        end = self._now() + seconds
        while (left := end - self._now()) > 0:
            # Registered first, looked second: a release in between is seen either way.
            released = self._waiters.setdefault(key, asyncio.Event())
            held_for = await self._redis.pttl(lease) / 1000
            if held_for <= 0:
                return
            pause = min(left, held_for + 0.01, _CONNECTED_SECONDS if self._changes.connected else _DISCONNECTED_SECONDS)
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await released.wait()
                return

    def forget(self, key: str) -> None:
        """Wake the waiters of one lease."""
        released = self._waiters.pop(key, None)
        if released is not None:
            released.set()

    def forget_all(self) -> None:
        """Wake all: they look for themselves."""
        for key in list(self._waiters):
            self.forget(key)

    def mark_stale(self) -> None:
        """Wake all: a release may have been missed."""
        self.forget_all()
