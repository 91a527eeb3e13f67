"""Captures and captured exchanges in the shared Redis: sealed, and deleted when their time is over."""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from redis.asyncio import Redis
from sellergate_common.cache.keyspace import CAPTURE_PREFIX
from sellergate_common.crypto.sealing import KeyRing, SealError
from sellergate_common.errors import Unavailable
from sellergate_common.observability.logs import get_logger
from sellergate_common.redis_client import UNREACHABLE

from sellergate_gateway.captures.redaction import Exchange
from sellergate_gateway.captures.service import MOST_SECONDS, Capture

_WANTED = f"{CAPTURE_PREFIX}wanted"
# Of records that no operator reads in time, the oldest are dropped.
_MOST_KEPT = 1000
_TAKEN_AT_ONCE = 100


class RedisCaptures:
    """The `CaptureStore` port in Redis."""

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
            await self._redis.delete(_key(capture))
        except UNREACHABLE:
            get_logger().warning("capture_not_ended")

    async def wanted(self) -> Sequence[Capture]:
        """Return the published captures whose time is not over."""
        try:
            sealed = await self._redis.hgetall(_WANTED)
        except UNREACHABLE:
            return ()
        texts = [text for id_, one in sealed.items() if (text := self._open(str(one), _place(str(id_)))) is not None]
        return [one for one in (Capture(**json.loads(text)) for text in texts) if one.until > time.time()]

    async def put(self, capture: Capture, exchange: Exchange) -> None:
        """Store captured exchanges."""
        key, left = _key(capture), max(1, int(capture.until - time.time()) + 1)
        try:
            await self._redis.rpush(key, self._ring.seal(json.dumps(asdict(exchange)), key))
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
        texts = [text for one in sealed or () if (text := self._open(str(one), key)) is not None]
        return [_exchange(json.loads(text)) for text in texts]

    def _open(self, sealed: str, place: str) -> str | None:
        try:
            return self._ring.open(sealed, place).get_secret_value()
        except SealError as error:
            get_logger().warning("capture_unopened", cause=str(error))
            return None


def _place(id_: str) -> str:
    return f"{_WANTED} {id_}"


def _key(capture: Capture) -> str:
    return f"{CAPTURE_PREFIX}{{{capture.id}}}"


def _exchange(fields: dict[str, Any]) -> Exchange:
    headers = {name: tuple(map(tuple, fields[name])) for name in ("request_headers", "response_headers")}
    return Exchange(**{**fields, **headers, "query_names": tuple(fields["query_names"])})


def _unavailable() -> Unavailable:
    return Unavailable("Redis does not respond, and captures need it to reach all replicas. Try again.")
