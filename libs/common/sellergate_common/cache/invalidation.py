"""The feed of changes in Redis: what another service has changed is dropped from this process's copies."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

from redis.asyncio import Redis

from sellergate_common.cache.keyspace import ALL
from sellergate_common.observability.logs import get_logger
from sellergate_common.tasks import BackgroundTasks, is_cancelled

RECONNECT_SECONDS = 0.5
# The server is asked this often whether it is still there; a connection that died silently is noticed by it.
PING_SECONDS = 2.0


class InvalidationListener(Protocol):
    """A holder of copies."""

    def forget(self, account_id: str) -> None:
        """Drop the copy of an account."""

    def forget_all(self) -> None:
        """Drop every copy."""

    def mark_stale(self) -> None:
        """Treat every copy as one that may have changed: messages may have been missed."""


class InvalidationFeed:
    """A subscription to changes. `connected` says whether it is confirmed at present."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self.connected = False
        self._outage_logged = False

    @asynccontextmanager
    async def subscribe(
        self, listeners: Mapping[str, Sequence[InvalidationListener]], background: BackgroundTasks | None = None
    ) -> AsyncIterator[None]:
        """Pass what is published on each channel on to its listeners, while the body runs."""
        background = background or BackgroundTasks()
        background.watch("changes_subscribed", lambda: "" if self.connected else "not subscribed to changes")
        async with background.run("changes", lambda: self._listen_forever(listeners)):
            yield

    async def _listen_forever(self, listeners: Mapping[str, Sequence[InvalidationListener]]) -> None:
        while not is_cancelled():
            try:
                await self._listen(listeners)
            except Exception as error:  # noqa: BLE001  (nothing that a server sends or does may end the listening)
                # Before the pause: a copy is not to be trusted while no change arrives.
                self.connected = False
                # redis-py closes a connection that is cancelled, and may raise what that raises in place of the cancellation.
                if not is_cancelled():
                    self._log_outage(error)
                    await asyncio.sleep(RECONNECT_SECONDS)
            finally:
                self.connected = False

    async def _listen(self, listeners: Mapping[str, Sequence[InvalidationListener]]) -> None:
        async with self._redis.pubsub() as subscription:
            await subscription.subscribe(*listeners)
            unconfirmed, silent = len(listeners), False
            while True:
                # Read raw: get_message returns None for a PONG as it does for silence, and a ping for every PONG never rests.
                response = await subscription.parse_response(block=False, timeout=PING_SECONDS)
                if response is None:
                    if silent:
                        raise TimeoutError
                    await subscription.ping()
                elif response[0] == "subscribe":
                    unconfirmed -= 1
                    if not unconfirmed:
                        self._confirm(listeners)
                elif response[0] == "message":
                    _deliver(listeners.get(response[1], ()), response[2])
                silent = response is None

    def _confirm(self, listeners: Mapping[str, Sequence[InvalidationListener]]) -> None:
        # What changed while there was no subscription is not known.
        for one in {id(one): one for group in listeners.values() for one in group}.values():
            one.mark_stale()
        self.connected = True
        if self._outage_logged:
            self._outage_logged = False
            get_logger().info("feed_connected")

    def _log_outage(self, error: BaseException) -> None:
        """Log an outage once, however often it is tried to end it."""
        if not self._outage_logged:
            self._outage_logged = True
            get_logger().warning("feed_disconnected", cause=type(error).__name__)


def _deliver(listeners: Sequence[InvalidationListener], account_id: str) -> None:
    for one in listeners:
        try:
            if account_id == ALL:
                one.forget_all()
            else:
                one.forget(account_id)
        except Exception as error:  # noqa: BLE001  (whatever is published, the other listeners and later messages are served)
            get_logger().warning("change_not_handled", listener=type(one).__name__, cause=type(error).__name__)
            one.mark_stale()
