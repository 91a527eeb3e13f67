"""A lease in Redis: one owner at a time, for a bounded time, given back only by its owner.

It elects who does a piece of work that all replicas would otherwise do at once. It expires by itself when its owner dies, is
renewed while the owner is slow, and carries a fencing number that grows with every owner.
"""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from redis.asyncio import Redis

from sellergate_common.cache import UNREACHABLE

LEASE_SECONDS = 10.0
_RENEWALS_PER_LEASE = 3
# The counter must outlive every lease it numbers.
_FENCE_SECONDS = 86_400

_ACQUIRE = """
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then
  local fence = redis.call('INCR', KEYS[2])
  redis.call('EXPIRE', KEYS[2], ARGV[3])
  return fence
end
return 0
"""
_RENEW = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end return 0"
_RELEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then
  redis.call('DEL', KEYS[1])
  redis.call('PUBLISH', KEYS[3], 'done')
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


def lease_keys(key: str) -> tuple[str, str, str]:
    """Return the names of the lease, its fencing counter and its wake-up channel for a cache entry; they share its hash tag."""
    return f"{key}:lease", f"{key}:fence", f"{key}:done"


async def acquire(redis: Redis, key: str, seconds: float = LEASE_SECONDS) -> Lease | None:
    """Take the lease of `key`; None when another owner has it. Raises what Redis raises."""
    name, fence_key, _ = lease_keys(key)
    owner = uuid.uuid4().hex
    fence = int(await redis.eval(_ACQUIRE, 2, name, fence_key, owner, int(seconds * 1000), _FENCE_SECONDS))
    return Lease(name, owner, fence) if fence else None


@asynccontextmanager
async def held(redis: Redis, key: str, lease: Lease, seconds: float = LEASE_SECONDS) -> AsyncIterator[None]:
    """Renew `lease` while the body runs, then give it back and wake who waits."""
    renewal = asyncio.create_task(_renew_forever(redis, lease, seconds))
    try:
        yield
    finally:
        renewal.cancel()
        with suppress(asyncio.CancelledError, *UNREACHABLE):
            await renewal
        with suppress(*UNREACHABLE):
            await redis.eval(_RELEASE, 3, *lease_keys(key), lease.owner)


async def _renew_forever(redis: Redis, lease: Lease, seconds: float) -> None:
    while True:
        await asyncio.sleep(seconds / _RENEWALS_PER_LEASE)
        with suppress(*UNREACHABLE):
            if not await redis.eval(_RENEW, 1, lease.name, lease.owner, int(seconds * 1000)):
                return


async def wait_released(redis: Redis, key: str, seconds: float) -> None:
    """Wait until the lease of `key` is given back or has expired, `seconds` at most; return at once when nobody has it."""
    name, _, channel = lease_keys(key)
    async with redis.pubsub() as listener:
        await listener.subscribe(channel)
        # Subscribed first, looked second: a release in between is seen either way.
        left = await redis.pttl(name)
        if left <= 0:
            return
        end = time.monotonic() + min(seconds, left / 1000 + 0.05)
        while (remaining := end - time.monotonic()) > 0:
            if await listener.get_message(ignore_subscribe_messages=True, timeout=remaining) is not None:
                return
