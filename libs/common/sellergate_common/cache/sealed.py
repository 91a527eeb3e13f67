"""A cache in the shared Redis whose values are sealed and bound to their names.

A cache may be lost at any moment, so reads and writes never raise: an unreachable Redis counts as a miss, which the log
and the health service `dependency/redis` report.
"""

from collections.abc import AsyncIterator, Callable

from pydantic import SecretStr
from redis.asyncio import Redis

from sellergate_common.cache.keyspace import ALL
from sellergate_common.cache.stored import NOTHING, READ, Stored, failure_key
from sellergate_common.crypto.sealing import KeyRing, SealError
from sellergate_common.errors import Unavailable
from sellergate_common.observability.logs import get_logger
from sellergate_common.redis_client import UNREACHABLE

_SCAN_PAGE = 500

# Stores an entry unless the fencing counter shows that another replica has taken over; a lost counter refuses nothing.
_FENCED_SET = """
local last = redis.call('GET', KEYS[2])
if last and last ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
"""
# Returns the mark that distinguishes this Redis from one that has lost its keys; creates a missing one.
_MARK = """
local mark = redis.call('GET', KEYS[1])
if mark then return mark end
local time = redis.call('TIME')
mark = time[1] .. '.' .. time[2]
redis.call('SET', KEYS[1], mark)
return mark
"""
_READ = "return {" + READ.format(entry="KEYS[2]", failure="KEYS[1]") + "}"
# Deletes an entry only if it still holds the value that was read.
_COMPARE_AND_DELETE = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"


class SealedCache:
    """Values under one prefix, sealed under the prefix's key ring and bound to the full name of their key.

    Drops are announced on `changes`, so that other processes drop their copies too.
    """

    def __init__(self, redis: Redis, ring: KeyRing, prefix: str, changes: str) -> None:
        self._redis = redis
        self._ring = ring
        self._prefix = prefix
        self.changes = changes

    async def get(self, key: str) -> SecretStr | None:
        """Return the value of `key`; None when there is none, it cannot be decrypted, or Redis does not respond."""
        try:
            sealed = await self._redis.get(key)
        except UNREACHABLE as error:
            _log_unreachable("get", error)
            return None
        return self.open(key, sealed)

    async def read(self, key: str) -> Stored:
        """Return what Redis holds for an entry, still sealed; nothing when Redis does not respond."""
        try:
            return Stored.parse(await self._redis.eval(_READ, 2, failure_key(key), key))
        except UNREACHABLE as error:
            _log_unreachable("get", error)
            return NOTHING

    def open(self, key: str, sealed: str | bytes | None) -> SecretStr | None:
        """Return the value that was read from `key`; None where there was none, or it cannot be decrypted."""
        if sealed is None:
            return None
        try:
            return self._ring.open(str(sealed), key)
        except SealError as error:
            get_logger().warning("cache_entry_unreadable", prefix=self._prefix, cause=str(error))
            return None

    async def get_living(self, key: str) -> tuple[SecretStr, float] | None:
        """Return the value of `key` and its remaining seconds by Redis' clock; None in the same cases as `get`."""
        try:
            # Read first: a value that replaces this one in between lives longer, never shorter.
            left = await self._redis.pttl(key)
        except UNREACHABLE as error:
            _log_unreachable("get", error)
            return None
        value = await self.get(key) if left > 0 else None
        return None if value is None else (value, left / 1000)

    async def put(self, key: str, value: SecretStr, seconds: float) -> bool:
        """Store `value` for `seconds`; return False when Redis does not respond."""
        try:
            await self._redis.set(key, self._ring.seal(value.get_secret_value(), key), px=max(1, int(seconds * 1000)))
        except UNREACHABLE as error:
            _log_unreachable("put", error)
            return False
        return True

    async def put_fenced(self, key: str, value: SecretStr, seconds: float, fence_key: str, fence: int) -> bool | None:
        """Store `value`; return False if `fence_key` holds another number than `fence`, None when Redis does not respond."""
        sealed, milliseconds = self._ring.seal(value.get_secret_value(), key), max(1, int(seconds * 1000))
        try:
            return bool(await self._redis.eval(_FENCED_SET, 2, key, fence_key, str(fence), sealed, milliseconds))
        except UNREACHABLE as error:
            _log_unreachable("put_fenced", error)
            return None

    async def add(self, key: str, value: SecretStr, seconds: float) -> bool:
        """Store `value` where there is none; return False when there is one, or Redis does not respond."""
        sealed, milliseconds = self._ring.seal(value.get_secret_value(), key), max(1, int(seconds * 1000))
        try:
            return bool(await self._redis.set(key, sealed, px=milliseconds, nx=True))
        except UNREACHABLE as error:
            _log_unreachable("add", error)
            return False

    async def drop(self, key: str) -> bool:
        """Delete `key`; return whether it existed."""
        try:
            return bool(await self._redis.delete(key))
        except UNREACHABLE as error:
            _log_unreachable("drop", error)
            return False

    async def drop_if(self, key: str, matches: Callable[[SecretStr], bool]) -> bool:
        """Delete `key` if it holds a value that `matches`: compare and delete, so that a newer value stays."""
        try:
            sealed = await self._redis.get(key)
            if sealed is None or not matches(self._ring.open(str(sealed), key)):
                return False
            return bool(await self._redis.eval(_COMPARE_AND_DELETE, 1, key, sealed))
        except UNREACHABLE as error:
            _log_unreachable("drop_if", error)
        except SealError:
            return await self.drop(key)
        return False

    async def count(self) -> int:
        """Return the number of entries. Raises Unavailable when Redis does not respond."""
        try:
            return sum([1 async for _ in self._entries()])
        except UNREACHABLE as error:
            raise _unavailable() from error

    async def clear(self) -> int:
        """Delete all entries, announce it, and return how many there were. Raises Unavailable."""
        try:
            cleared = sum([int(await self._redis.delete(key)) async for key in self._entries()])
        except UNREACHABLE as error:
            raise _unavailable() from error
        await self.announce(ALL)
        return cleared

    async def mark(self) -> str | None:
        """Return a mark that changes when Redis loses its keys; None when Redis does not respond."""
        try:
            return str(await self._redis.eval(_MARK, 1, self._prefix + "mark"))
        except UNREACHABLE as error:
            _log_unreachable("mark", error)
            return None

    async def announce(self, account_id: str) -> None:
        """Publish that other processes must drop their copies of an account's entry."""
        try:
            await self._redis.publish(self.changes, account_id)
        except UNREACHABLE as error:
            _log_unreachable("announce", error)

    async def _entries(self) -> AsyncIterator[str]:
        async for key in self._redis.scan_iter(match=self._prefix + "{*}", count=_SCAN_PAGE):
            yield key


def _unavailable() -> Unavailable:
    return Unavailable("Redis does not respond, so nothing was done; repeat the call.", retry_after=1.0)


def _log_unreachable(action: str, error: BaseException) -> None:
    get_logger().warning("redis_unreachable", action=action, cause=type(error).__name__)
