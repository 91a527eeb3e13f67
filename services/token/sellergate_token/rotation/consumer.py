"""The consumer of Amazon's queue of rotations. A message is deleted only after its credentials are stored durably.

A message that cannot be read, or is about an unknown client, is left to the queue's redrive policy and blocks no other. One that
fails in an outage is delivered again after its visibility timeout. Messages about one client are handled in Amazon's order, those
about different clients concurrently.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Protocol

from sellergate_common.clock import Clock
from sellergate_common.context import CallContext, use_context
from sellergate_common.errors import SellergateError
from sellergate_common.observability.logs import get_logger

from sellergate_token.rotation.handlers import TEMPORARY

# Seconds for all messages about one client together; less than the time after which they are delivered again.
HANDLE_SECONDS = 30.0
FIRST_BACKOFF_SECONDS = 0.5
LONGEST_BACKOFF_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class QueueMessage:
    """A message and the receipt that deletes it. Neither is in the repr."""

    body: bytes = field(repr=False)
    receipt: str = field(repr=False)


class QueueUnavailable(Exception):
    """A queue that does not respond, or refuses. The error's message states the cause and holds no content."""


class Queue(Protocol):
    """A queue that hides a received message for some time, and delivers it again unless it is deleted."""

    async def receive(self) -> Sequence[QueueMessage]:
        """Wait for messages and return them, or an empty list. Raises QueueUnavailable."""

    async def delete(self, message: QueueMessage) -> None:
        """Delete a message. Raises QueueUnavailable."""


class RotationQueue:
    """The consumer.

    `handle` stores a message's credentials; `order_of` returns the client that it is about (empty: unknown) and its time;
    `jitter` returns a random number in [0, 1).
    """

    def __init__(
        self,
        queue: Queue,
        handle: Callable[[bytes], Awaitable[bool]],
        *,
        order_of: Callable[[bytes], tuple[str, float]],
        clock: Clock,
        jitter: Callable[[], float],
        new_id: Callable[[], str],
    ) -> None:
        self._queue = queue
        self._handle = handle
        self._order_of = order_of
        self._jitter = jitter
        self._clock = clock
        self._new_id = new_id

    async def run(self) -> None:
        """Consume until cancelled. While the queue or the account service is unavailable, poll with growing pauses."""
        failures = 0
        while True:
            failures = 0 if await self._receive_batch() else failures + 1
            if failures:
                longest = min(LONGEST_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2 ** min(failures, 10))
                await self._clock.sleep(longest * (0.5 + self._jitter() / 2))

    async def _receive_batch(self) -> bool:
        """Receive once and handle the messages. Return False if the queue or the account service is unavailable."""
        try:
            messages = await self._queue.receive()
        except QueueUnavailable as error:
            get_logger().warning("rotation_queue_unavailable", cause=str(error))
            return False
        return all(await asyncio.gather(*map(self._in_order, self._by_client(messages))))

    def _by_client(self, messages: Sequence[QueueMessage]) -> Iterable[Sequence[QueueMessage]]:
        """Return the messages of each client, oldest first. A message without a client is a group by itself."""
        groups: dict[object, list[tuple[float, QueueMessage]]] = {}
        for message in messages:
            client, time = self._order_of(message.body)
            groups.setdefault(client or message.receipt, []).append((time, message))
        return [[message for _, message in sorted(group, key=itemgetter(0))] for group in groups.values()]

    async def _in_order(self, messages: Sequence[QueueMessage]) -> bool:
        """Handle messages one after another. Each has its share of the time; a failure does not stop the next."""
        share = HANDLE_SECONDS / len(messages)
        return all([await self._handle_message(message, share) for message in messages])

    async def _handle_message(self, message: QueueMessage, seconds: float) -> bool:
        """Handle one message, then delete it. Return False if it failed for a temporary reason."""
        deadline = self._clock.monotonic() + seconds
        with use_context(CallContext("rotation_queue", self._new_id(), deadline=deadline)):
            try:
                async with asyncio.timeout(seconds):
                    await self._handle(message.body)
                    await self._queue.delete(message)
            except SellergateError as error:
                return error.reason not in TEMPORARY
            except (QueueUnavailable, TimeoutError) as error:
                get_logger().warning("rotation_queue_unavailable", cause=str(error) or type(error).__name__)
                return False
            except Exception as error:  # noqa: BLE001  (a bug in one message must not end the consumer; it holds secrets)
                get_logger().error("rotation_bug", cause=type(error).__name__)
            return True
