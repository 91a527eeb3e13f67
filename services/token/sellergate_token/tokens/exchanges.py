"""Exchanges of grants with LWA. After a rotation, the previous client secret is tried if the new one is refused."""

import hashlib
from collections.abc import Callable

from sellergate_common.cache.lru import Lru
from sellergate_common.errors import PreconditionFailed, Reason
from sellergate_common.observability.logs import get_logger

from sellergate_token.ports import AccessToken, Grant, Lwa, LwaClient

# A refused secret is not sent to Amazon again for these seconds, by any account of its application. It is kept as a digest, so
# that its replacement is tried at once.
REFUSED_SECONDS = 5.0
_SIZE = 1_000
_WRONG_SECRET = "invalid_client"


class Exchanges:
    """All exchanges of this process, counted. `now` is monotonic, in seconds."""

    def __init__(self, lwa: Lwa, now: Callable[[], float]) -> None:
        self._lwa = lwa
        self._now = now
        self._refused: Lru[bytes, tuple[float, PreconditionFailed]] = Lru(_SIZE)
        self.made = 0
        self.failed = 0

    async def exchange(self, client: LwaClient, grant: Grant) -> AccessToken:
        """Exchange a grant. Raises as Lwa does.

        Amazon accepts a new secret shortly before or after Sellergate stores it, so that one of the two stored secrets always
        works.
        """
        try:
            try:
                return await self._exchange(client, grant)
            except PreconditionFailed as error:
                if not _is_secret_refused(error) or client.previous_secret is None:
                    raise
                get_logger().warning("lwa_previous_secret_tried")
                return await self._exchange(LwaClient(client.client_id, client.previous_secret), grant)
        except BaseException:
            self.failed += 1
            raise

    async def _exchange(self, client: LwaClient, grant: Grant) -> AccessToken:
        digest = _digest(client)
        refused = self._refused.get(digest)
        if refused is not None and self._now() < refused[0]:
            raise _retry_error(refused[1])
        self.made += 1
        try:
            return await self._lwa.exchange(client.client_id, client.client_secret, grant)
        except PreconditionFailed as error:
            if _is_secret_refused(error):
                self._refused.put(digest, (self._now() + REFUSED_SECONDS, _retry_error(error)))
            raise


def _is_secret_refused(error: PreconditionFailed) -> bool:
    """Return whether Amazon refused the client's secret, and not one grant of the client."""
    return (
        error.reason is Reason.LWA_CLIENT_REJECTED and error.metadata.get("lwa_error", _WRONG_SECRET) == _WRONG_SECRET
    )


def _retry_error(error: PreconditionFailed) -> PreconditionFailed:
    """Return a copy of an error without its traceback, which holds the request."""
    return PreconditionFailed(error.message, reason=error.reason, metadata=error.metadata, help_url=error.help_url)


def _digest(client: LwaClient) -> bytes:
    pair = f"{client.client_id.get_secret_value()}\0{client.client_secret.get_secret_value()}"
    return hashlib.sha256(pair.encode()).digest()
