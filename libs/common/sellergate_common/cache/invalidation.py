"""Listens on Redis to what other services changed, and makes this process forget its copies."""

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


class Forgetful(Protocol):
    """Something that holds copies."""

    def forget(self, account_id: str) -> None:
        """Forget the copy of an account."""

    def forget_all(self) -> None:
        """Forget every copy."""

    def doubt_all(self) -> None:
        """Take note that changes may have been missed."""


class Changes:
    """`connected` tells whether changes are being heard at present."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self.connected = False
        self._told_unheard = False

    @asynccontextmanager
    async def heard_by(
        self, listeners: Mapping[str, Sequence[Forgetful]], background: BackgroundTasks | None = None
    ) -> AsyncIterator[None]:
        """Pass what is published on each channel on to its listeners, while the body runs."""
        background = background or BackgroundTasks()
        background.watch("changes_subscribed", lambda: "" if self.connected else "not subscribed to changes")
        async with background.run("changes", lambda: self._listen_forever(listeners)):
            yield

    async def _listen_forever(self, listeners: Mapping[str, Sequence[Forgetful]]) -> None:
        while not is_cancelled():
            try:
                await self._listen(listeners)
            except Exception as error:  # noqa: BLE001  (nothing that a server sends or does may end the listening)
                # Before the pause: a copy is not to be trusted while no change is heard.
                self.connected = False
                # redis-py closes a connection that is cancelled, and may raise what that raises in place of the cancellation.
                if not is_cancelled():
                    self._tell_unheard(error)
                    await asyncio.sleep(RECONNECT_SECONDS)
            finally:
                self.connected = False

    async def _listen(self, listeners: Mapping[str, Sequence[Forgetful]]) -> None:
        async with self._redis.pubsub() as subscription:
            await subscription.subscribe(*listeners)
            unconfirmed, silent = len(listeners), False
            while True:
                # Read raw: get_message returns None for a PONG as it does for silence, and a ping for every PONG never rests.
                answer = await subscription.parse_response(block=False, timeout=PING_SECONDS)
                if answer is None:
                    if silent:
                        raise TimeoutError
                    await subscription.ping()
                elif answer[0] == "subscribe":
                    unconfirmed -= 1
                    if not unconfirmed:
                        self._hear(listeners)
                elif answer[0] == "message":
                    _tell(listeners.get(answer[1], ()), answer[2])
                silent = answer is None

    def _hear(self, listeners: Mapping[str, Sequence[Forgetful]]) -> None:
        # What changed while nobody listened is not known.
        for one in {id(one): one for group in listeners.values() for one in group}.values():
            one.doubt_all()
        self.connected = True
        if self._told_unheard:
            self._told_unheard = False
            get_logger().info("changes_heard")

    def _tell_unheard(self, error: BaseException) -> None:
        """Log an outage once, however often it is tried to end it."""
        if not self._told_unheard:
            self._told_unheard = True
            get_logger().warning("changes_unheard", cause=type(error).__name__)


def _tell(listeners: Sequence[Forgetful], account_id: str) -> None:
    for one in listeners:
        try:
            if account_id == ALL:
                one.forget_all()
            else:
                one.forget(account_id)
        except Exception as error:  # noqa: BLE001  (whatever is published, the other listeners and later messages are served)
            get_logger().warning("change_not_understood", listener=type(one).__name__, cause=type(error).__name__)
            one.doubt_all()
