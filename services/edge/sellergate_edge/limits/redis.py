"""What all edges count together, in Redis; each by itself while that does not answer."""

from collections import OrderedDict
from collections.abc import Callable, Sequence

from redis.asyncio import Redis
from sellergate_common.cache.keyspace import EDGE_PREFIX
from sellergate_common.crypto.sealing import KeyRing
from sellergate_common.observability.logs import get_logger
from sellergate_common.redis_client import UNREACHABLE

from sellergate_edge.limits.limiter import FAILURE_SECONDS, Rate, Subject

# GCRA: the bucket is the time at which it will be full again. Grants what there is of what is wanted.
_TAKE = """
local now = redis.call('TIME')
now = tonumber(now[1]) + tonumber(now[2]) / 1e6
local interval, burst, wanted = 1 / tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local full = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now)
local room = math.floor(burst - (full - now) / interval + 1e-6)
if room < 1 then
  return {0, string.format('%.6f', full - now - (burst - 1) * interval)}
end
local taken = math.min(room, wanted)
redis.call('SET', KEYS[1], string.format('%.6f', full + taken * interval), 'EX', math.ceil(burst * interval) + 1)
return {taken, '0'}
"""
_COUNT = """
local count = redis.call('INCR', KEYS[1])
if count == 1 then
  redis.call('EXPIRE', KEYS[1], ARGV[1])
end
return count
"""
_MOST_KEYS = 50_000


class RedisCounts:
    """Counts under keys that are HMACs: who reads Redis learns no user, client or address."""

    def __init__(self, redis: Redis, ring: KeyRing, now: Callable[[], float]) -> None:
        self._redis = redis
        self._ring = ring
        self._take = redis.register_script(_TAKE)
        self._count = redis.register_script(_COUNT)
        self._own = OwnCounts(now)

    async def take(self, user: str, rate: Rate, wanted: int) -> tuple[int, float]:
        """Take requests from a user's bucket."""
        try:
            arguments = [rate.per_second, rate.burst, wanted]
            taken, wait = await self._take(keys=[self._name("rate", user)], args=arguments)
            return int(taken), float(wait)
        except UNREACHABLE:
            get_logger().warning("limits_without_redis")
            return await self._own.take(user, rate, wanted)

    async def failures(self, subjects: Sequence[Subject]) -> Sequence[int]:
        """Return how often each failed."""
        try:
            found = [await self._redis.get(self._name(subject.kind, subject.name)) for subject in subjects]
            return [int(count or 0) for count in found]
        except UNREACHABLE:
            return await self._own.failures(subjects)

    async def failed(self, subjects: Sequence[Subject]) -> None:
        """Count a failure of each."""
        await self._own.failed(subjects)
        try:
            for subject in subjects:
                await self._count(keys=[self._name(subject.kind, subject.name)], args=[FAILURE_SECONDS])
        except UNREACHABLE:
            get_logger().warning("limits_without_redis")

    def _name(self, kind: str, name: str) -> str:
        return f"{EDGE_PREFIX}{{{self._ring.index('edge', kind, name)}}}"


class OwnCounts:
    """The same counts of this process alone. `now` is monotonic."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._full: OrderedDict[str, float] = OrderedDict()
        self._failures: OrderedDict[tuple[str, str], tuple[int, float]] = OrderedDict()

    async def take(self, user: str, rate: Rate, wanted: int) -> tuple[int, float]:
        """Take requests from a user's bucket."""
        now, interval = self._now(), 1 / rate.per_second
        full = max(self._full.get(user, now), now)
        room = int(rate.burst - (full - now) / interval + 1e-6)
        if room < 1:
            return 0, full - now - (rate.burst - 1) * interval
        taken = min(room, wanted)
        self._full[user] = full + taken * interval
        _trim(self._full)
        return taken, 0.0

    async def failures(self, subjects: Sequence[Subject]) -> Sequence[int]:
        """Return how often each failed."""
        return [self._failed(subject)[0] for subject in subjects]

    async def failed(self, subjects: Sequence[Subject]) -> None:
        """Count a failure of each."""
        for subject in subjects:
            count, until = self._failed(subject)
            self._failures[subject.kind, subject.name] = count + 1, until
        _trim(self._failures)

    def _failed(self, subject: Subject) -> tuple[int, float]:
        count, until = self._failures.get((subject.kind, subject.name), (0, 0.0))
        now = self._now()
        return (count, until) if now < until else (0, now + FAILURE_SECONDS)


def _trim(kept: OrderedDict[str, float] | OrderedDict[tuple[str, str], tuple[int, float]]) -> None:
    while len(kept) > _MOST_KEYS:
        kept.popitem(last=False)
