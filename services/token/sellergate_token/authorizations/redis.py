"""A store of authorizations in the shared Redis: sealed, found only by their state, and advanced by compare-and-set."""

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, TypeVar

from pydantic import SecretStr
from redis.asyncio import Redis
from sellergate_common.cache.keyspace import state_key
from sellergate_common.crypto.sealing import KeyRing, SealError
from sellergate_common.errors import Unavailable
from sellergate_common.observability.logs import get_logger
from sellergate_common.redis_client import UNREACHABLE

from sellergate_token.authorizations.ports import Pending, Progress, Refusal, StoredAuthorization

_Value = TypeVar("_Value")

# A pending authorization and its progress have separate keys: a replica of an earlier release, which knows only pending ones,
# finds none after the callback.
_PROGRESS = ":progress"
_ADVANCE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
return 1
"""


class RedisStates:
    """States under the token service's own prefix. They are only in Redis, since another replica may get the next request."""

    def __init__(self, redis: Redis, ring: KeyRing) -> None:
        self._redis = redis
        self._ring = ring

    async def keep(self, state: SecretStr, pending: Pending, seconds: float) -> None:
        """Store a pending authorization. Raises Unavailable."""
        key = state_key(self._ring, state.get_secret_value())
        try:
            await self._redis.set(key, self._seal(asdict(pending), key), px=int(seconds * 1000), nx=True)
        except UNREACHABLE as error:
            raise _unavailable() from error

    async def find(self, state: SecretStr) -> StoredAuthorization | None:
        """Return the stored authorization. Raises Unavailable."""
        key = state_key(self._ring, state.get_secret_value())
        try:
            begun, advanced = await self._redis.mget(key, key + _PROGRESS)
        except UNREACHABLE as error:
            raise _unavailable() from error
        if advanced is not None:
            progress = self._open(str(advanced), key + _PROGRESS, _progress)
            return StoredAuthorization(progress.pending, progress, str(advanced)) if progress else None
        pending = self._open(str(begun), key, lambda found: Pending(**found)) if begun is not None else None
        return StoredAuthorization(pending, None, str(begun)) if pending else None

    async def advance(
        self, state: SecretStr, kept: StoredAuthorization, progress: Progress, seconds: float
    ) -> StoredAuthorization | None:
        """Replace the found version by `progress`. Return None if it has changed since. Raises Unavailable."""
        key = state_key(self._ring, state.get_secret_value())
        place = key + _PROGRESS
        sealed = self._seal(_values(progress), place)
        before = place if kept.progress else key
        try:
            done = await self._redis.eval(_ADVANCE, 2, before, place, kept.mark, sealed, int(seconds * 1000))
        except UNREACHABLE as error:
            raise _unavailable() from error
        return StoredAuthorization(progress.pending, progress, sealed) if done else None

    def _seal(self, values: dict[str, Any], place: str) -> str:
        return self._ring.seal(json.dumps(values), place)

    def _open(self, sealed: str, place: str, make: Callable[[dict[str, Any]], _Value]) -> _Value | None:
        """Return what `make` makes of a stored value; None for one that does not open, or has the form of another release."""
        try:
            return make(json.loads(self._ring.open(sealed, place).get_secret_value()))
        except SealError as error:
            cause = str(error)
        except (ValueError, TypeError, KeyError):
            cause = "it has another form"
        get_logger().warning("state_unopened", cause=cause)
        return None


def _values(progress: Progress) -> dict[str, Any]:
    token = progress.refresh_token
    return asdict(progress) | {"refresh_token": token.get_secret_value() if token else None}


def _progress(values: dict[str, Any]) -> Progress:
    token, refusal = values["refresh_token"], values["refusal"]
    return Progress(
        **values
        | {
            "pending": Pending(**values["pending"]),
            "refresh_token": SecretStr(token) if token else None,
            "refusal": Refusal(
                refusal["reason"],
                refusal["message"],
                tuple((field, description) for field, description in refusal["violations"]),
            )
            if refusal
            else None,
        }
    )


def _unavailable() -> Unavailable:
    return Unavailable(
        "Redis does not respond, and an authorization cannot be stored without it; try again.", retry_after=1.0
    )
