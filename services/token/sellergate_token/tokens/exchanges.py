"""Exchanges of grants with LWA. After a rotation, the previous client secret is tried if the new one is refused.

LWA may send a new refresh token, of which no other copy exists. An exchange whose grant is stored therefore runs in a task of
its own, which outlives its caller and stores the token, and a process that stops waits for these tasks.
"""

import asyncio
import hashlib
from collections.abc import Callable
from typing import Any

from pydantic import SecretStr
from sellergate_common.cache.lru import Lru
from sellergate_common.errors import PreconditionFailed, Reason
from sellergate_common.observability.logs import get_logger

from sellergate_token.ports import AccessToken, Grant, Lwa, LwaClient

# A refused secret is not sent to Amazon again for these seconds, by any account of its application. It is kept as a digest, so
# that its replacement is tried at once.
REFUSED_SECONDS = 5.0
_SIZE = 1_000
_WRONG_SECRET = "invalid_client"
LATE = (
    "LWA did not respond before the deadline. The request continues, and its result is stored; repeat the call later."
)


class Exchanges:
    """All exchanges of this process, counted. `now` is monotonic, in seconds."""

    def __init__(self, lwa: Lwa, now: Callable[[], float]) -> None:
        self._lwa = lwa
        self._now = now
        self._refused: Lru[bytes, tuple[float, PreconditionFailed]] = Lru(_SIZE)
        self._tasks: set[asyncio.Task[Any]] = set()
        self.made = 0
        self.failed = 0

    async def exchange(self, client: LwaClient, grant: Grant) -> AccessToken:
        """Exchange a grant. Raises as Lwa does.

        Amazon accepts a new secret shortly before or after Sellergate stores it, so that one of the two stored secrets always
        works.
        """
        self._remember_task()
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

    async def finish(self, seconds: float) -> None:
        """Wait for the tasks that have exchanged a grant, so that they store its result; for `seconds` at most.

        A fetch that waited for another replica may begin an exchange meanwhile.
        """
        loop = asyncio.get_running_loop()
        ends = loop.time() + seconds
        while self._tasks and (left := ends - loop.time()) > 0:
            await asyncio.wait(self._tasks, timeout=left)

    def _remember_task(self) -> None:
        task = asyncio.current_task()
        if task is not None and task not in self._tasks:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

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


def changed_token(sent: SecretStr | None, known: SecretStr) -> SecretStr | None:
    """Return the refresh token that Amazon sent if it differs from the known one."""
    return sent if sent is not None and sent != known else None


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
