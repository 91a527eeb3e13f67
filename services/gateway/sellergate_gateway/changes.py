"""Listens on Redis to what other services changed, and makes this process forget its copies."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Protocol

from redis.asyncio import Redis
from sellergate_common.cache import UNREACHABLE
from sellergate_common.keyspace import ALL
from sellergate_common.logs import get_logger

RECONNECT_SECONDS = 0.5
# The server is asked this often whether it is still there; a connection that died silently is noticed by it.
PING_SECONDS = 2.0


class Forgetful(Protocol):
    """Something that holds copies."""

    def forget(self, account_id: str) -> None:
        """Forget the copy of an account."""

    def forget_all(self) -> None:
        """Forget every copy."""


class Changes:
    """`connected` tells whether changes are being heard at present."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self.connected = False

    @asynccontextmanager
    async def heard_by(self, listeners: Mapping[str, Sequence[Forgetful]]) -> AsyncIterator[None]:
        """Tell the listeners of each channel, while the body runs."""
        listening = asyncio.create_task(self._listen_forever(listeners))
        try:
            yield
        finally:
            listening.cancel()
            with suppress(asyncio.CancelledError):
                await listening

    async def _listen_forever(self, listeners: Mapping[str, Sequence[Forgetful]]) -> None:
        while not _is_cancelled():
            try:
                await self._listen(listeners)
            except UNREACHABLE as error:
                # redis-py closes a connection that is cancelled, and may raise what that raises in place of the cancellation.
                if not _is_cancelled():
                    get_logger().warning("changes_unheard", cause=type(error).__name__)
                    await asyncio.sleep(RECONNECT_SECONDS)
            finally:
                self.connected = False

    async def _listen(self, listeners: Mapping[str, Sequence[Forgetful]]) -> None:
        async with self._redis.pubsub() as subscription:
            await subscription.subscribe(*listeners)
            # What changed while nobody listened is not known: begin with nothing.
            for one in {id(one): one for group in listeners.values() for one in group}.values():
                one.forget_all()
            self.connected = True
            while True:
                message = await subscription.get_message(ignore_subscribe_messages=True, timeout=PING_SECONDS)
                if message is None:
                    await subscription.ping()
                elif message["type"] == "message":
                    _tell(listeners[message["channel"]], message["data"])


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _tell(listeners: Sequence[Forgetful], account_id: str) -> None:
    for one in listeners:
        if account_id == ALL:
            one.forget_all()
        else:
            one.forget(account_id)
