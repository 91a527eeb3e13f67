"""The skew between this process's clock and that of Redis, which all replicas share: a metric and a health condition.

Entries expire by Redis' clock, and no reader assumes a longer life. A wrong clock still shortens lives, breaks
signatures and puts wrong times into logs, so operators must be informed.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.registry import REGISTRY
from redis.asyncio import Redis

from sellergate_common.clock import Clock
from sellergate_common.redis_client import UNREACHABLE
from sellergate_common.tasks import BackgroundTasks

MEASURED_EVERY_SECONDS = 30.0
# Machines under NTP are within milliseconds of each other; Amazon refuses signatures that are five minutes off.
TOLERATED_SECONDS = 5.0
_TIME = "return redis.call('TIME')"


class ClockSkew:
    """The skew of one process. `key` is any name under the process's own prefix, on which it may run scripts."""

    def __init__(self, redis: Redis, key: str, clock: Clock) -> None:
        self._redis = redis
        self._key = key
        self._clock = clock
        self.seconds = 0.0
        """Seconds that this clock is ahead of Redis'; negative: behind. Accurate to half the response time of Redis."""

    async def measure(self) -> None:
        """Compare the clocks once. Raises redis-py's errors."""
        sent_at = self._clock.wall()
        seconds, microseconds = await self._redis.eval(_TIME, 1, self._key)
        received = self._clock.wall()
        self.seconds = (sent_at + received) / 2 - (int(seconds) + int(microseconds) / 1e6)

    def problem(self) -> str:
        """Return the problem in a few words, or an empty text while the clocks agree."""
        if abs(self.seconds) <= TOLERATED_SECONDS:
            return ""
        side = "ahead of" if self.seconds > 0 else "behind"
        return f"this machine's clock is {abs(self.seconds):.0f} s {side} that of Redis"

    async def run(self) -> None:
        """Measure periodically. While Redis does not respond, the last measurement stays."""
        while True:
            with suppress(*UNREACHABLE):  # the health service `dependency/redis` reports it
                await self.measure()
            await self._clock.sleep(MEASURED_EVERY_SECONDS)


@asynccontextmanager
async def measured_skew(
    redis: Redis, prefix: str, clock: Clock, background: BackgroundTasks, registry: CollectorRegistry = REGISTRY
) -> AsyncIterator[ClockSkew]:
    """Measure the skew while the body runs; `sellergate_clock_skew_seconds` and the condition `clock_skew` report it."""
    skew = ClockSkew(redis, prefix + "clock", clock)
    gauge = Gauge("sellergate_clock_skew_seconds", "Seconds that this clock is ahead of Redis'", registry=registry)
    gauge.set_function(lambda: skew.seconds)
    background.watch("clock_skew", skew.problem)
    async with background.run("clock_skew_measured", skew.run):
        yield skew
