"""A lease in Redis: one owner at a time, for a bounded time, given back only by its owner.

It elects who does a piece of work that all replicas would otherwise do at once. It expires by itself when its owner dies, is
renewed while the owner is slow, and carries a fencing number that grows with every owner.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from redis.asyncio import Redis

from sellergate_common.redis_client import UNREACHABLE
from sellergate_common.tasks import end, is_cancelled

LEASE_SECONDS = 5.0
_RENEWALS_PER_LEASE = 3
# The counter must outlive every lease it numbers.
_FENCE_SECONDS = 86_400

# The number follows the server's clock, so that it grows also when the counter was lost with a restart.
_ACQUIRE = """
if not redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return '' end
local time = redis.call('TIME')
local last = tonumber(redis.call('GET', KEYS[2]) or '0')
local fence = string.format('%.0f', math.max(last + 1, time[1] * 1000000 + time[2]))
redis.call('SET', KEYS[2], fence, 'EX', ARGV[3])
return fence
"""
_RENEW = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end return 0"
_RELEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then
  redis.call('DEL', KEYS[1])
  redis.call('PUBLISH', ARGV[2], ARGV[3])
  return 1
end
return 0
"""


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease that is held. `fence` grows with every owner of the same name."""

    name: str
    owner: str
    fence: int


def lease_keys(key: str) -> tuple[str, str]:
    """Return the names of the lease and its fencing counter for a cache entry; they share its hash tag."""
    return f"{key}:lease", f"{key}:fence"


async def acquire(redis: Redis, key: str, seconds: float = LEASE_SECONDS) -> Lease | None:
    """Take the lease of `key`; None when another owner has it. Raises what Redis raises."""
    name, fence_key = lease_keys(key)
    owner = uuid.uuid4().hex
    fence = await redis.eval(_ACQUIRE, 2, name, fence_key, owner, int(seconds * 1000), _FENCE_SECONDS)
    return Lease(name, owner, int(fence)) if fence else None


@asynccontextmanager
async def held(
    redis: Redis, key: str, lease: Lease, channel: str, seconds: float = LEASE_SECONDS
) -> AsyncIterator[None]:
    """Renew `lease` while the body runs, then give it back and say so on `channel`, to wake who waits."""
    renewal = asyncio.create_task(_renew_forever(redis, lease, seconds))
    try:
        yield
    finally:
        await end(renewal)
        with suppress(*UNREACHABLE):
            await redis.eval(_RELEASE, 1, lease.name, lease.owner, channel, key)


async def _renew_forever(redis: Redis, lease: Lease, seconds: float) -> None:
    while not is_cancelled():
        await asyncio.sleep(seconds / _RENEWALS_PER_LEASE)
        with suppress(*UNREACHABLE):
            if not await redis.eval(_RENEW, 1, lease.name, lease.owner, int(seconds * 1000)):
                return
