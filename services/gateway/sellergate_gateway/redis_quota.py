"""Quota in the shared Redis, one script for all buckets of a call; while Redis is gone, in this process at half the rate."""

import time
from collections import OrderedDict
from collections.abc import Sequence
from importlib.resources import files

from redis.asyncio import Redis
from sellergate_common.cache import UNREACHABLE
from sellergate_common.logs import get_logger

from sellergate_gateway.ports import Admission, Bucket, BucketState
from sellergate_gateway.quota import Gauge, admit, refuse
from sellergate_gateway.turns import Turns

FALLBACK_SHARE = 0.5
# After Redis did not answer, it is left alone for this long, so that not every call waits for its time-out.
LEAVE_ALONE_SECONDS = 1.0
_MAX_LOCAL_BUCKETS = 100_000
_DRAIN = """
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local state = redis.call('HMGET', KEYS[1], 'tat', 'interval', 'learned')
local interval = 1 / (tonumber(state[3]) or tonumber(ARGV[1]))
local debt = math.max(0, (tonumber(state[1]) or 0) - now) * interval / (tonumber(state[2]) or interval)
local tat = now + math.max(debt, tonumber(ARGV[3]) + (tonumber(ARGV[2]) - 1) * interval)
redis.call('HSET', KEYS[1], 'tat', string.format('%.6f', tat), 'interval', string.format('%.9g', interval),
  'blocked_until', string.format('%.6f', now + tonumber(ARGV[3])))
redis.call('PEXPIRE', KEYS[1], math.ceil((tat - now + 3600) * 1000))
"""
_LEARN = """
for i, key in ipairs(KEYS) do
  redis.call('HSET', key, 'learned', ARGV[i])
  if redis.call('PTTL', key) < 0 then redis.call('PEXPIRE', key, 3600000) end
end
"""
_STATE = """
local time = redis.call('TIME')
local state = redis.call('HMGET', KEYS[1], 'tat', 'interval', 'blocked_until', 'learned')
return {time[1] .. '.' .. string.format('%06d', time[2]), state[1] or '0', state[2] or '0', state[3] or '0', state[4] or '0'}
"""


class RedisQuota:
    """Buckets shared by all replicas."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._admit = redis.register_script(files("sellergate_gateway").joinpath("gcra.lua").read_text("utf-8"))
        self._drain = redis.register_script(_DRAIN)
        self._learn = redis.register_script(_LEARN)
        self._state = redis.register_script(_STATE)
        self._local = LocalQuota(FALLBACK_SHARE)
        self._turns = Turns()
        self._leave_alone_until = 0.0
        self._gone = False

    async def admit(self, buckets: Sequence[Bucket], max_wait: float) -> Admission:
        """Reserve one slot in every bucket. Raises QuotaExceeded."""
        if self._is_left_alone():
            return await self._local.admit(buckets, max_wait)
        arguments: list[str | float] = [f"{max_wait:.6f}"]
        for bucket in buckets:
            arguments += [repr(bucket.rate), bucket.burst]
        try:
            admitted, wait, rate = await self._admit(keys=[bucket.key for bucket in buckets], args=arguments)
        except UNREACHABLE as error:
            self._leave_alone(error)
            return await self._local.admit(buckets, max_wait)
        self._answered()
        if not int(admitted):
            raise refuse(float(wait), max_wait, "")
        return Admission(float(wait), float(rate))

    async def turn(self, bucket: Bucket, admission: Admission, longest: float) -> float:
        """Wait for a reserved slot, which a rate that is learned meanwhile moves."""
        return await self._turns.wait(bucket.key, admission, longest)

    async def learn(self, buckets: Sequence[Bucket], rate: float) -> None:
        """Believe the rate that Amazon told."""
        await self._local.learn(buckets, rate)
        self._turns.learned(buckets[0].key, rate)
        if not self._is_left_alone():
            try:
                await self._learn(
                    keys=[bucket.key for bucket in buckets], args=[repr(rate * bucket.share) for bucket in buckets]
                )
            except UNREACHABLE as error:
                self._leave_alone(error)

    async def drain(self, bucket: Bucket, seconds: float) -> None:
        """Empty a bucket after a 429."""
        await self._local.drain(bucket, seconds)
        if not self._is_left_alone():
            try:
                await self._drain(keys=[bucket.key], args=[repr(bucket.rate), bucket.burst, f"{seconds:.6f}"])
            except UNREACHABLE as error:
                self._leave_alone(error)

    async def state(self, bucket: Bucket) -> BucketState:
        """Return what is in a bucket now."""
        if self._is_left_alone():
            return await self._local.state(bucket)
        try:
            now, *numbers = map(float, await self._state(keys=[bucket.key]))
        except UNREACHABLE as error:
            self._leave_alone(error)
            return await self._local.state(bucket)
        return Gauge(*numbers).state(bucket, now)

    def _is_left_alone(self) -> bool:
        return time.monotonic() < self._leave_alone_until

    def _leave_alone(self, error: BaseException) -> None:
        self._leave_alone_until = time.monotonic() + LEAVE_ALONE_SECONDS
        if not self._gone:
            self._gone = True
            get_logger().warning("quota_local", cause=type(error).__name__, share=FALLBACK_SHARE)

    def _answered(self) -> None:
        if self._gone:
            self._gone = False
            get_logger().info("quota_shared")


class LocalQuota:
    """Buckets of this process alone, at a share of the true rate, for other replicas count for themselves too."""

    def __init__(self, share: float) -> None:
        self._share = share
        self._gauges: OrderedDict[str, Gauge] = OrderedDict()

    async def admit(self, buckets: Sequence[Bucket], max_wait: float) -> Admission:
        """Reserve one slot in every bucket. Raises QuotaExceeded."""
        now = time.monotonic()
        reduced = [self._reduced(bucket) for bucket in buckets]
        gauges = [self._gauge(bucket) for bucket in buckets]
        wait = admit(gauges, reduced, now, max_wait)
        if wait is None:
            raise refuse(max(g.wait(b, now) for g, b in zip(gauges, reduced, strict=True)), max_wait, "")
        # The true rate: what the caller compares with Amazon's word.
        return Admission(wait, gauges[0].believed_rate(reduced[0]) / self._share)

    async def learn(self, buckets: Sequence[Bucket], rate: float) -> None:
        """Believe the rate that Amazon told."""
        for bucket in buckets:
            self._gauge(bucket).learned = rate * bucket.share * self._share

    async def drain(self, bucket: Bucket, seconds: float) -> None:
        """Empty a bucket after a 429."""
        self._gauge(bucket).drain(self._reduced(bucket), time.monotonic(), seconds)

    async def state(self, bucket: Bucket) -> BucketState:
        """Return what is in a bucket now."""
        return self._gauge(bucket).state(self._reduced(bucket), time.monotonic())

    def _reduced(self, bucket: Bucket) -> Bucket:
        return Bucket(bucket.key, bucket.rate * self._share, max(1, int(bucket.burst * self._share)))

    def _gauge(self, bucket: Bucket) -> Gauge:
        gauge = self._gauges.setdefault(bucket.key, Gauge())
        self._gauges.move_to_end(bucket.key)
        while len(self._gauges) > _MAX_LOCAL_BUCKETS:
            self._gauges.popitem(last=False)
        return gauge
