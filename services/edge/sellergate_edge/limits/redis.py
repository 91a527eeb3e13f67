"""The shared counts of all replicas of the edge, in Redis. While Redis is unavailable, each replica counts for itself."""

from collections.abc import Callable, Sequence

from redis.asyncio import Redis
from sellergate_common.cache.keyspace import EDGE_PREFIX
from sellergate_common.cache.lru import Lru
from sellergate_common.crypto.sealing import KeyRing
from sellergate_common.observability.logs import get_logger
from sellergate_common.redis_client import UNREACHABLE

from sellergate_edge.limits.guesses import REMEMBERED_SECONDS, WINDOW_SECONDS, Subject
from sellergate_edge.limits.limiter import Rate

# GCRA: the bucket is the time at which it will be full again. Grants as many of the wanted requests as there are.
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
# Counts an attempt unless the limit is reached.
_RESERVE = """
if tonumber(redis.call('GET', KEYS[1]) or '0') >= tonumber(ARGV[1]) then
  return 0
end
if redis.call('INCR', KEYS[1]) == 1 then
  redis.call('EXPIRE', KEYS[1], ARGV[2])
end
return 1
"""
_GIVE_BACK = """
if tonumber(redis.call('GET', KEYS[1]) or '0') > 0 then
  redis.call('DECR', KEYS[1])
end
return 0
"""
_MOST_KEYS = 50_000


class RedisCounts:
    """Counts under keys that are HMACs, so that Redis shows no user, client or address."""

    def __init__(self, redis: Redis, ring: KeyRing, now: Callable[[], float]) -> None:
        self._redis = redis
        self._ring = ring
        self._take = redis.register_script(_TAKE)
        self._reserve = redis.register_script(_RESERVE)
        self._give_back = redis.register_script(_GIVE_BACK)
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

    async def reserve(self, subjects: Sequence[Subject]) -> bool:
        """Count an attempt of each subject, or of none. This process counts first, so that a flood needs few Redis commands.

        One key at a time: a cluster keeps them on different servers.
        """
        if not await self._own.reserve(subjects):
            return False
        counted: list[Subject] = []
        try:
            for subject in subjects:
                limits = [subject.limit, WINDOW_SECONDS]
                if not await self._reserve(keys=[self._name(subject.kind, subject.name)], args=limits):
                    await self._own.give_back(subjects)
                    await self._give_back_shared(counted)
                    return False
                counted.append(subject)
        except UNREACHABLE:
            get_logger().warning("limits_without_redis")
        return True

    async def give_back(self, subjects: Sequence[Subject]) -> None:
        """Cancel one attempt of each subject."""
        await self._own.give_back(subjects)
        try:
            await self._give_back_shared(subjects)
        except UNREACHABLE:
            get_logger().warning("limits_without_redis")

    async def _give_back_shared(self, subjects: Sequence[Subject]) -> None:
        for subject in subjects:
            await self._give_back(keys=[self._name(subject.kind, subject.name)])

    async def is_proven(self, digest: str) -> bool:
        """Return whether these credentials have worked."""
        try:
            return await self._redis.get(self._name("proven", digest)) is not None
        except UNREACHABLE:
            return False

    async def prove(self, digest: str) -> None:
        """Remember credentials that have worked."""
        try:
            await self._redis.set(self._name("proven", digest), "1", ex=REMEMBERED_SECONDS)
        except UNREACHABLE:
            get_logger().warning("limits_without_redis")

    async def disprove(self, digest: str) -> None:
        """Forget credentials that no longer work."""
        try:
            await self._redis.delete(self._name("proven", digest))
        except UNREACHABLE:
            get_logger().warning("limits_without_redis")

    def _name(self, kind: str, name: str) -> str:
        return f"{EDGE_PREFIX}{{{self._ring.index('edge', kind, name)}}}"


class OwnCounts:
    """The same counts of only this process. `now` is monotonic, in seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._full: Lru[str, float] = Lru(_MOST_KEYS)
        self._guesses: Lru[tuple[str, str], tuple[int, float]] = Lru(_MOST_KEYS)

    async def take(self, user: str, rate: Rate, wanted: int) -> tuple[int, float]:
        """Take requests from a user's bucket."""
        now, interval = self._now(), 1 / rate.per_second
        full = max(self._full.get(user) or now, now)
        room = int(rate.burst - (full - now) / interval + 1e-6)
        if room < 1:
            return 0, full - now - (rate.burst - 1) * interval
        taken = min(room, wanted)
        self._full.put(user, full + taken * interval)
        return taken, 0.0

    async def reserve(self, subjects: Sequence[Subject]) -> bool:
        """Count an attempt of each subject, or of none."""
        if any(self._count(subject)[0] >= subject.limit for subject in subjects):
            return False
        self._add(subjects, 1)
        return True

    async def give_back(self, subjects: Sequence[Subject]) -> None:
        """Cancel one attempt of each subject."""
        self._add([subject for subject in subjects if self._count(subject)[0]], -1)

    async def is_proven(self, digest: str) -> bool:  # noqa: ARG002
        """Return False: `Guesses` keeps what this process has seen."""
        return False

    async def prove(self, digest: str) -> None:
        """Do nothing: see is_proven."""

    async def disprove(self, digest: str) -> None:
        """Do nothing: see is_proven."""

    def _add(self, subjects: Sequence[Subject], number: int) -> None:
        for subject in subjects:
            count, until = self._count(subject)
            self._guesses.put((subject.kind, subject.name), (count + number, until))

    def _count(self, subject: Subject) -> tuple[int, float]:
        count, until = self._guesses.get((subject.kind, subject.name)) or (0, 0.0)
        now = self._now()
        return (count, until) if now < until else (0, now + WINDOW_SECONDS)
