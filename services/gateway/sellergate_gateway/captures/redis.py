"""Captures and captured exchanges in the shared Redis: sealed, and deleted when their time is over."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any, TypeVar

from redis.asyncio import Redis
from sellergate_common.cache.keyspace import CAPTURE_PREFIX
from sellergate_common.crypto.sealing import KeyRing, SealError
from sellergate_common.errors import Unavailable
from sellergate_common.observability.logs import get_logger
from sellergate_common.redis_client import UNREACHABLE

from sellergate_gateway.captures.recent import MOST_LISTED
from sellergate_gateway.captures.redaction import Exchange
from sellergate_gateway.captures.service import MOST_SECONDS, Capture

_Value = TypeVar("_Value")
_WANTED = f"{CAPTURE_PREFIX}wanted"
_SEALED = "sealed"
# Of records that no operator reads in time, the oldest are dropped.
_MOST_KEPT = 1000
_TAKEN_AT_ONCE = 100
# Seconds for which the list of exchanges stays after its capture.
LISTED_SECONDS = 3600


class RedisCaptures:
    """The `CaptureStore` and `RecentStore` ports in Redis."""

    def __init__(self, redis: Redis, ring: KeyRing) -> None:
        self._redis = redis
        self._ring = ring

    async def begin(self, capture: Capture) -> None:
        """Publish a capture to all replicas."""
        try:
            await self._redis.hset(
                _WANTED, capture.id, self._ring.seal(json.dumps(asdict(capture)), _place(capture.id))
            )
            await self._redis.expire(_WANTED, int(2 * MOST_SECONDS))
        except UNREACHABLE:
            raise _unavailable() from None

    async def end(self, capture: Capture) -> None:
        """Delete a capture."""
        try:
            await self._redis.hdel(_WANTED, capture.id)
            if not capture.is_listed:
                await self._redis.delete(_key(capture))
        except UNREACHABLE:
            get_logger().warning("capture_not_ended")

    async def wanted(self) -> Sequence[Capture]:
        """Return the published captures whose time is not over."""
        try:
            sealed = await self._redis.hgetall(_WANTED)
        except UNREACHABLE:
            return ()
        opened = [self._open(str(one), _place(str(id_)), _capture) for id_, one in sealed.items()]
        return [one for one in opened if one is not None and one.until > time.time()]

    async def put(self, capture: Capture, exchange: Exchange) -> None:
        """Store captured exchanges."""
        key, left = _key(capture), max(1, int(capture.until - time.time()) + 1)
        fields = asdict(exchange)
        if not capture.is_listed:
            fields.pop("operation")  # replicas of an earlier release do not know it
        sealed = self._ring.seal(json.dumps(fields), key)
        try:
            if capture.is_listed:
                await self._redis.xadd(key, {_SEALED: sealed}, maxlen=MOST_LISTED, approximate=False)
                await self._redis.expire(key, left + LISTED_SECONDS)
            else:
                await self._redis.rpush(key, sealed)
                await self._redis.expire(key, left)
                await self._redis.ltrim(key, -_MOST_KEPT, -1)
        except UNREACHABLE:
            get_logger().warning("capture_lost_an_exchange")

    async def take(self, capture: Capture) -> Sequence[Exchange]:
        """Remove and return the exchanges stored since the last call."""
        key = _key(capture)
        try:
            sealed = await self._redis.lpop(key, _TAKEN_AT_ONCE)
        except UNREACHABLE:
            raise _unavailable() from None
        return [opened for one in sealed or () if (opened := self._open(str(one), key, _exchange)) is not None]

    def id_of(self, account_id: str) -> str:
        """Return the id of an account's listed capture, which does not show the account."""
        return self._ring.index("listed-capture", account_id)

    async def find(self, capture_id: str) -> Capture | None:
        """Return a published capture whose time is not over, as any replica stored it."""
        try:
            sealed = await self._redis.hget(_WANTED, capture_id)
        except UNREACHABLE:
            raise _unavailable() from None
        found = self._open(str(sealed), _place(capture_id), _capture) if sealed else None
        return found if found and found.until > time.time() else None

    async def page(self, capture_id: str, before: str, limit: int) -> Sequence[tuple[str, Exchange]]:
        """Return at most `limit` listed exchanges with their positions, the newest first, beginning before a position."""
        key = _key_of(capture_id)
        try:
            found: Any = await self._redis.xrevrange(key, max=_previous(before) if before else "+", count=limit)
        except UNREACHABLE:
            raise _unavailable() from None
        opened = [(str(position), self._open(str(fields[_SEALED]), key, _exchange)) for position, fields in found]
        return [(position, exchange) for position, exchange in opened if exchange is not None]

    def _open(self, sealed: str, place: str, make: Callable[[dict[str, Any]], _Value]) -> _Value | None:
        """Return what `make` makes of a stored value; None for one that does not open, or has the form of another release."""
        try:
            return make(json.loads(self._ring.open(sealed, place).get_secret_value()))
        except SealError as error:
            cause = str(error)
        except (ValueError, TypeError, KeyError):
            cause = "it has another form"
        get_logger().warning("capture_unopened", cause=cause)
        return None


def _place(id_: str) -> str:
    return f"{_WANTED} {id_}"


def _key(capture: Capture) -> str:
    return _key_of(capture.id)


def _key_of(capture_id: str) -> str:
    return f"{CAPTURE_PREFIX}{{{capture_id}}}"


def _previous(position: str) -> str:
    """Return the largest position of a stream before another one."""
    milliseconds, _, number = position.partition("-")
    return f"{milliseconds}-{int(number) - 1}" if int(number) else str(int(milliseconds) - 1)


def _capture(fields: dict[str, Any]) -> Capture:
    return Capture(**fields)


def _exchange(fields: dict[str, Any]) -> Exchange:
    headers = {name: tuple(map(tuple, fields[name])) for name in ("request_headers", "response_headers")}
    return Exchange(**{**fields, **headers, "query_names": tuple(fields["query_names"])})


def _unavailable() -> Unavailable:
    return Unavailable("Redis does not respond, and captures need it to reach all replicas. Try again.")
