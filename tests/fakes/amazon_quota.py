"""Amazon's bucket of one operation, and replicas whose calls it counts, in virtual time."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from sellergate_common.errors import QuotaExceeded
from sellergate_gateway.quota.corrections import Corrections
from sellergate_gateway.quota.limiter import RateLimiter
from sellergate_gateway.quota.memory import MemoryBuckets
from sellergate_gateway.quota.ports import BucketSet, BucketStore
from sellergate_gateway.quota.waiters import WaitQueue


@dataclass
class AmazonBucket:
    """A token bucket that takes a call when it holds a whole token (SP-API usage plans). `now` in seconds."""

    rate: float
    burst: int
    now: Callable[[], float]
    reports: bool = True
    """Whether responses other than 429 report the rate."""
    storm_until: float = 0.0
    served: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._tokens, self._at = float(self.burst), self.now()

    def take(self) -> bool:
        """Count a call; return whether it is served."""
        now = self.now()
        self._tokens = min(self.burst, self._tokens + (now - self._at) * self.rate)
        self._at = now
        # Amazon's clock is no finer than this one.
        if now < self.storm_until or self._tokens < 1 - 1e-9:
            self.refused.append(now)
            return False
        self._tokens -= 1
        self.served.append(now)
        return True

    def allowed(self, seconds: float) -> float:
        """Return the most calls that the bucket serves in a number of seconds."""
        return self.burst + self.rate * seconds


def replicas(count: int, store: BucketStore, now: Callable[[], float]) -> list[RateLimiter]:
    """Return replicas that share a store and receive each other's messages a moment later."""
    queues = [WaitQueue(now, f"replica {number}") for number in range(count)]

    async def publish(message: str) -> None:
        for queue in queues:
            asyncio.get_running_loop().call_later(0.001, queue.forget, message)

    return [RateLimiter(store, queue, Corrections(queue, publish), now) for queue in queues]


def shared_memory(now: Callable[[], float]) -> MemoryBuckets:
    """Return a store in this process that replicas share as they share Redis."""
    return MemoryBuckets(1.0, now)


@dataclass
class Caller:
    """A caller at one replica: each call takes a slot, then `jitter` seconds, then reaches Amazon's bucket."""

    limiter: RateLimiter
    buckets: BucketSet
    amazon: AmazonBucket
    random: random.Random
    jitter: tuple[float, float] = (0.0, 0.003)
    late: float = 0.0
    """The extra seconds that the first call needs for its connection."""

    async def call(self, longest: float) -> bool | None:
        """Call once; return whether Amazon served the call, None where the limiter refused it."""
        try:
            admission = await self.limiter.acquire(self.buckets, longest)
        except QuotaExceeded:
            return None
        if self.late:
            await asyncio.sleep(self.late)
            self.late = 0.0
        self.limiter.on_sent(admission)
        await asyncio.sleep(self.random.uniform(*self.jitter))
        served = self.amazon.take()
        if served and self.amazon.reports and abs(admission.rate - self.amazon.rate) > 0.001 * self.amazon.rate:
            await self.limiter.update_rate(self.buckets, self.amazon.rate)
        elif not served:
            await self.limiter.on_throttled(self.buckets, 1 / admission.rate)
        await asyncio.sleep(0.1)
        return served

    async def keep_calling(self, until: float) -> None:
        """Call one after the other, without a pause."""
        while self.amazon.now() < until and await self.call(until - self.amazon.now()) is not None:
            pass
