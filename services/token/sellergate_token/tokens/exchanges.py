"""Exchanges grants with LWA, and counts; after a rotation the secret of before is tried where the new one is refused."""

import hashlib
from collections.abc import Callable

from sellergate_common.cache.lru import Lru
from sellergate_common.errors import PreconditionFailed, Reason
from sellergate_common.observability.logs import get_logger

from sellergate_token.ports import AccessToken, Grant, Lwa, LwaClient

# A refused secret is not shown to Amazon again for this long, however many accounts of its application are asked for. It is
# remembered by its digest, so that a secret that is stored in its place is tried at once.
REFUSED_SECONDS = 5.0
_SIZE = 1_000
_WRONG_SECRET = "invalid_client"


class Exchanges:
    """All exchanges of this process. `now` is monotonic."""

    def __init__(self, lwa: Lwa, now: Callable[[], float]) -> None:
        self._lwa = lwa
        self._now = now
        self._refused: Lru[bytes, tuple[float, PreconditionFailed]] = Lru(_SIZE)
        self.made = 0
        self.failed = 0

    async def exchange(self, client: LwaClient, grant: Grant) -> AccessToken:
        """Exchange a grant. Raises as Lwa does.

        Amazon knows a new secret a little later than we do, or a little earlier, so one of two kept ones works at any moment.
        """
        try:
            try:
                return await self._exchange(client, grant)
            except PreconditionFailed as error:
                if not _is_of_the_secret(error) or client.previous_secret is None:
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
            if _is_of_the_secret(error):
                self._refused.put(digest, (self._now() + REFUSED_SECONDS, _retry_error(error)))
            raise


def _is_of_the_secret(error: PreconditionFailed) -> bool:
    """Return whether Amazon refused the client's secret, and not one grant of that client."""
    return (
        error.reason is Reason.LWA_CLIENT_REJECTED and error.metadata.get("lwa_error", _WRONG_SECRET) == _WRONG_SECRET
    )


def _retry_error(error: PreconditionFailed) -> PreconditionFailed:
    """Return an error alike, without the traceback, which holds what was sent."""
    return PreconditionFailed(error.message, reason=error.reason, metadata=error.metadata, help_url=error.help_url)


def _digest(client: LwaClient) -> bytes:
    pair = f"{client.client_id.get_secret_value()}\0{client.client_secret.get_secret_value()}"
    return hashlib.sha256(pair.encode()).digest()
