"""A lease in Redis: one owner at a time, for a bounded time, released only by its owner.

It elects the replica that does a piece of work which all replicas would otherwise do at once. It expires when its owner
dies, is renewed while the owner works, never for longer than the work may take, and carries a fencing number that grows
with every owner.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from redis.asyncio import Redis

from sellergate_common.cache.invalidation import InvalidationFeed
from sellergate_common.cache.stored import NOTHING, READ, Stored, failure_key
from sellergate_common.observability.logs import get_logger
from sellergate_common.tasks import END_SECONDS, end, is_cancelled

LEASE_SECONDS = 5.0
# The default bound on all renewals of a lease; work that takes longer counts as lost.
RENEWED_SECONDS = 30.0
# The bound on one command of a renewal or release, whatever the Redis client does.
COMMAND_SECONDS = 2.0
_RENEWALS_PER_LEASE = 3
# The seconds after which a waiter checks the lease itself: while releases are announced, and while they are not.
_CONNECTED_SECONDS, _DISCONNECTED_SECONDS = 1.0, 0.1
# The counter must outlive every lease it numbers.
_FENCE_SECONDS = 86_400

# The number follows the server's clock, so that it grows also when the counter was lost with a restart.
# The entry is read in the same step: the owner of a lease must look again before it works.
_ACQUIRE = """
if not redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return false end
local time = redis.call('TIME')
local last = tonumber(redis.call('GET', KEYS[2]) or '0')
local fence = string.format('%.0f', math.max(last + 1, time[1] * 1000000 + time[2]))
redis.call('SET', KEYS[2], fence, 'EX', ARGV[3])
return {fence, """
_ACQUIRE += READ.format(entry="KEYS[3]", failure="KEYS[4]") + "}"
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
    """A held lease. `fence` grows with every owner of the same name; `stored` is what Redis held when the lease was acquired."""

    name: str
    owner: str
    fence: int
    stored: Stored = NOTHING


def lease_keys(key: str) -> tuple[str, str]:
    """Return the names of the lease and its fencing counter for a cache entry; they share its hash tag."""
    return f"{key}:lease", f"{key}:fence"


async def acquire(redis: Redis, key: str, seconds: float = LEASE_SECONDS) -> Lease | None:
    """Acquire the lease of `key`; return None while another owner has it. Raises redis-py's errors."""
    name, fence_key = lease_keys(key)
    owner = uuid.uuid4().hex
    keys = (name, fence_key, key, failure_key(key))
    acquired = await redis.eval(_ACQUIRE, len(keys), *keys, owner, int(seconds * 1000), _FENCE_SECONDS)
    if acquired is None:
        return None
    fence, *stored = acquired
    return Lease(name, owner, int(fence), Stored.parse(stored))


@asynccontextmanager
async def hold_lease(
    redis: Redis,
    key: str,
    lease: Lease,
    channel: str,
    seconds: float = LEASE_SECONDS,
    longest: float = RENEWED_SECONDS,
) -> AsyncIterator[None]:
    """Renew `lease` while the body runs, for `longest` seconds at most; then release it and announce that on `channel`.

    The exit takes a few seconds at most. The release is attempted even after an error of Redis or a cancellation of the
    body.
    """
    renewal = asyncio.create_task(_renew_until(redis, lease, seconds, asyncio.get_running_loop().time() + longest))
    try:
        yield
    finally:
        # A separate task: a caller that is cancelled here stops waiting, but the lease is still released.
        ending = asyncio.create_task(_release(redis, key, lease, channel, renewal))
        _ending.add(ending)
        ending.add_done_callback(_ending.discard)
        await asyncio.wait({ending}, timeout=END_SECONDS + COMMAND_SECONDS)


# asyncio itself keeps only weak references to tasks.
_ending: "set[asyncio.Task[None]]" = set()


async def _release(redis: Redis, key: str, lease: Lease, channel: str, renewal: "asyncio.Task[None]") -> None:
    await end(renewal)
    try:
        async with asyncio.timeout(COMMAND_SECONDS):
            await redis.eval(_RELEASE, 1, lease.name, lease.owner, channel, key)
    except Exception as error:  # noqa: BLE001  (a lease that is not released expires; the body's result is kept)
        get_logger().warning("lease_not_released", cause=type(error).__name__)


async def _renew_until(redis: Redis, lease: Lease, seconds: float, last: float) -> None:
    """Renew a lease until the task is cancelled, another owner has it, or the loop's clock shows `last`."""
    loop = asyncio.get_running_loop()
    while not is_cancelled():
        await asyncio.sleep(seconds / _RENEWALS_PER_LEASE)
        if loop.time() >= last:
            get_logger().warning("lease_renewed_no_longer")
            return
        try:
            async with asyncio.timeout(COMMAND_SECONDS):
                if not await redis.eval(_RENEW, 1, lease.name, lease.owner, int(seconds * 1000)):
                    return
        except Exception as error:  # noqa: BLE001  (the next renewal may succeed; the lease outlives one that is missed)
            get_logger().warning("lease_not_renewed", cause=type(error).__name__)


class LeaseNotifier:
    """The listener for released leases that all waiters of this process share.

    `now` is monotonic. The change feed must pass messages on the channel of releases to `forget`.
    """

    def __init__(self, redis: Redis, changes: InvalidationFeed, now: Callable[[], float]) -> None:
        self._redis = redis
        self._now = now
        self._changes = changes
        self._waiters: dict[str, asyncio.Event] = {}

    async def wait(self, key: str, seconds: float) -> None:
        """Wait until the lease of `key` is released or has expired, for `seconds` at most. Raises redis-py's errors."""
        lease, _ = lease_keys(key)
        end = self._now() + seconds
        while (left := end - self._now()) > 0:
            # Registered before the check: a release in between is noticed either way.
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
        """Wake all waiters; each checks its lease."""
        for key in list(self._waiters):
            self.forget(key)

    def mark_stale(self) -> None:
        """Wake all waiters, because a release may have been missed."""
        self.forget_all()
