"""The change feed in Redis: when another service changes an account, this process drops its copies."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

from redis.asyncio import Redis

from sellergate_common.cache.keyspace import ALL
from sellergate_common.clock import SYSTEM_CLOCK, Clock
from sellergate_common.feed.trust import Trust
from sellergate_common.observability.logs import get_logger
from sellergate_common.tasks import BackgroundTasks, is_cancelled

RECONNECT_SECONDS = 0.5
# The interval of pings in seconds; they reveal a connection that died silently.
PING_SECONDS = 2.0
_SHORTEST_SECONDS = 0.01
# What a server responds to a ping of a subscription, by the version of the protocol.
_PONG, _PONG_OF_RESP2 = "PONG", "pong"


class InvalidationListener(Protocol):
    """A cache that drops copies when changes are published."""

    def forget(self, account_id: str) -> None:
        """Drop the copy of an account."""

    def forget_all(self) -> None:
        """Drop all copies."""

    def mark_stale(self) -> None:
        """Mark all copies as possibly outdated, because messages may have been missed."""


class InvalidationFeed:
    """A subscription to changes.

    A response to a ping shows that all changes published at that server before the ping have arrived. `received` counts from the
    ping: the process may have been stopped since, and the connection broken meanwhile.
    """

    def __init__(self, redis: Redis, clock: Clock = SYSTEM_CLOCK) -> None:
        self._redis = redis
        self._clock = clock
        self.received = Trust()
        self._outage_logged = False

    @property
    def connected(self) -> bool:
        """Whether the server has confirmed the subscription, and all changes have arrived that were published TRUST_SECONDS ago."""
        return self._clock.monotonic() < self.received.until

    @asynccontextmanager
    async def subscribe(
        self, listeners: Mapping[str, Sequence[InvalidationListener]], background: BackgroundTasks | None = None
    ) -> AsyncIterator[None]:
        """Pass each channel's messages to its listeners while the body runs."""
        background = background or BackgroundTasks()
        background.watch("changes_subscribed", lambda: "" if self.connected else "not subscribed to changes")
        async with background.run("changes", lambda: self._listen_forever(listeners)):
            yield

    async def _listen_forever(self, listeners: Mapping[str, Sequence[InvalidationListener]]) -> None:
        while not is_cancelled():
            try:
                await self._listen(listeners)
            except Exception as error:  # noqa: BLE001  (nothing that a server sends or does may end the listening)
                # Before the pause: copies are not trusted while no change can arrive.
                self.received = Trust()
                # redis-py closes a connection on cancellation, and may raise the error of closing instead of the cancellation.
                if not is_cancelled():
                    self._log_outage(error)
                    await asyncio.sleep(RECONNECT_SECONDS)
            finally:
                self.received = Trust()

    async def _listen(self, listeners: Mapping[str, Sequence[InvalidationListener]]) -> None:
        async with self._redis.pubsub() as subscription:
            asked, unconfirmed, waiting = self._clock.monotonic(), len(listeners), True
            await subscription.subscribe(*listeners)
            while True:
                # Read raw: get_message returns None for a PONG as it does for silence, and a ping for every PONG never rests.
                pause = PING_SECONDS if waiting else asked + PING_SECONDS - self._clock.monotonic()
                response = await subscription.parse_response(block=False, timeout=max(_SHORTEST_SECONDS, pause))
                if response is None:
                    if waiting:
                        raise TimeoutError
                elif response[0] == "message":
                    _deliver(listeners.get(response[1], ()), response[2])
                elif response[0] == "subscribe":
                    unconfirmed -= 1
                    if not unconfirmed:
                        waiting = False
                        self._confirm(listeners, asked)
                elif response == _PONG or response[0] == _PONG_OF_RESP2:
                    waiting = False
                    self.received.renew(asked)
                # Not only after silence: a message shows nothing about those that follow it.
                if not waiting and (response is None or self._clock.monotonic() >= asked + PING_SECONDS):
                    asked, waiting = self._clock.monotonic(), True
                    await subscription.ping()

    def _confirm(self, listeners: Mapping[str, Sequence[InvalidationListener]], asked: float) -> None:
        # Changes during the gap are unknown.
        for one in {id(one): one for group in listeners.values() for one in group}.values():
            one.mark_stale()
        self.received.renew(asked)
        if self._outage_logged:
            self._outage_logged = False
            get_logger().info("feed_connected")

    def _log_outage(self, error: BaseException) -> None:
        """Log an outage once, however many reconnections fail."""
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
