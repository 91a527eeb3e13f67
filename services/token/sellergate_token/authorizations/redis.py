"""Authorizations that were begun, in the shared Redis: sealed, found by nobody who does not hold the state, given out once."""

import json
from dataclasses import asdict

from pydantic import SecretStr
from redis.asyncio import Redis
from sellergate_common.cache.keyspace import state_key
from sellergate_common.crypto.sealing import KeyRing, SealError
from sellergate_common.errors import Unavailable
from sellergate_common.observability.logs import get_logger
from sellergate_common.redis_client import UNREACHABLE

from sellergate_token.authorizations.ports import Pending


class RedisStates:
    """States under the token service's own prefix. Without Redis there is no memory of them: another replica may be asked next."""

    def __init__(self, redis: Redis, ring: KeyRing) -> None:
        self._redis = redis
        self._ring = ring

    async def keep(self, state: SecretStr, pending: Pending, seconds: float) -> None:
        """Keep what was begun. Raises Unavailable."""
        key = state_key(self._ring, state.get_secret_value())
        try:
            await self._redis.set(
                key, self._ring.seal(json.dumps(asdict(pending)), key), px=int(seconds * 1000), nx=True
            )
        except UNREACHABLE as error:
            raise _gone() from error

    async def take(self, state: SecretStr) -> Pending | None:
        """Return what was begun, once: GETDEL reads and removes in one step. Raises Unavailable."""
        key = state_key(self._ring, state.get_secret_value())
        try:
            sealed = await self._redis.getdel(key)
        except UNREACHABLE as error:
            raise _gone() from error
        if sealed is None:
            return None
        try:
            return Pending(**json.loads(self._ring.open(str(sealed), key).get_secret_value()))
        except SealError as error:
            get_logger().warning("state_unopened", cause=str(error))
            return None


def _gone() -> Unavailable:
    return Unavailable(
        "Redis does not answer, and an authorization cannot be kept without it; try again.", retry_after=1.0
    )
