"""Recent failures: the reason why a value could not be fetched, so that not every caller repeats the attempt.

Failures are shared through Redis under the name of the entry; while Redis does not respond, each process keeps its own.
"""

import base64
import binascii
from collections.abc import Callable, Mapping

from pydantic import SecretStr

from sellergate_common.cache.lru import Lru
from sellergate_common.cache.sealed import SealedCache
from sellergate_common.cache.stored import NOTHING, Stored, failure_key
from sellergate_common.errors import Reason, SellergateError
from sellergate_common.status import from_bytes, to_status

# Seconds by reason; any other reason predicts nothing about the next attempt. A new authorization has another name, so
# a long time harms no caller; an outage of a dependency may be over in a moment.
COOLDOWN: Mapping[Reason, float] = {
    Reason.AUTHORIZATION_REVOKED: 60.0,
    Reason.AUTHORIZATION_MISMATCH: 60.0,
    Reason.ROLE_REJECTED: 5.0,
    Reason.INVALID_REQUEST: 5.0,
    Reason.AMAZON_UNAVAILABLE: 1.0,
    Reason.DEPENDENCY_UNAVAILABLE: 1.0,
}
_SIZE = 10_000


class NegativeCache:
    """Failures by the name of the missing entry. `now` is monotonic."""

    def __init__(self, cache: SealedCache, service: str, now: Callable[[], float]) -> None:
        self._cache = cache
        self._service = service
        self._now = now
        self._own: Lru[str, tuple[float, bytes]] = Lru(_SIZE)

    async def check(self, name: str) -> None:
        """Raise the remembered failure, if there is one."""
        until, _ = self._own.get(name) or (0.0, b"")
        self.check_stored(name, NOTHING if self._now() < until else await self._cache.read(name))

    def check_stored(self, name: str, stored: Stored) -> None:
        """Raise the failure that this process remembers, or that was read from Redis."""
        until, encoded = self._own.get(name) or (0.0, b"")
        if self._now() >= until:
            self._own.drop(name)
            encoded = _decode(self._cache.open(failure_key(name), stored.failure))
        error = from_bytes(encoded) if encoded else None
        if error is not None:
            raise error

    async def record(self, name: str, error: SellergateError) -> None:
        """Remember a failure for its reason's seconds in COOLDOWN."""
        seconds = COOLDOWN.get(error.reason)
        if seconds is None:
            return
        encoded = to_status(error, self._service).SerializeToString()
        self._own.put(name, (self._now() + seconds, encoded))
        await self._cache.put(failure_key(name), SecretStr(base64.b64encode(encoded).decode()), seconds)

    async def forget(self, name: str) -> None:
        """Forget the failure, so that the next caller fetches."""
        self._own.drop(name)
        await self._cache.drop(failure_key(name))


def _decode(kept: SecretStr | None) -> bytes:
    try:
        return base64.b64decode(kept.get_secret_value(), validate=True) if kept else b""
    except (binascii.Error, ValueError):
        return b""
