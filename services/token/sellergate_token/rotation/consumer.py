"""Consumes Amazon's queue of rotations: a message is deleted only after what it brings is stored durably.

A message that cannot be read, or is about a client that is not ours, stays for the queue's own redrive policy and blocks nobody.
One that fails because something is down comes again after its visibility timeout. Twice delivered is once applied.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from sellergate_common.clock import Clock
from sellergate_common.context import CallContext, serving
from sellergate_common.errors import SellergateError
from sellergate_common.observability.logs import get_logger

from sellergate_token.rotation.handlers import TEMPORARY

HANDLE_SECONDS = 30.0
FIRST_BACKOFF_SECONDS = 0.5
LONGEST_BACKOFF_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class QueueMessage:
    """A message, and the receipt that deletes it. Neither is printed."""

    body: bytes = field(repr=False)
    receipt: str = field(repr=False)


class QueueUnavailable(Exception):
    """The queue does not answer, or refuses; the message says why and holds no content."""


class Queue(Protocol):
    """A queue that hides a received message for a while, and shows it again unless it is deleted."""

    async def receive(self) -> Sequence[QueueMessage]:
        """Wait for messages, and return none when none came. Raises QueueUnavailable."""

    async def delete(self, message: QueueMessage) -> None:
        """Delete a message. Raises QueueUnavailable."""


class RotationQueue:
    """The consumer. `handle` stores what a message brings; `jitter` is a random number in [0, 1)."""

    def __init__(
        self,
        queue: Queue,
        handle: Callable[[bytes], Awaitable[bool]],
        *,
        clock: Clock,
        jitter: Callable[[], float],
        new_id: Callable[[], str],
    ) -> None:
        self._queue = queue
        self._handle = handle
        self._jitter = jitter
        self._clock = clock
        self._new_id = new_id

    async def run(self) -> None:
        """Consume until cancelled; while the queue or the account service is down, ask less and less often."""
        failures = 0
        while True:
            failures = 0 if await self._turn() else failures + 1
            if failures:
                longest = min(LONGEST_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2 ** min(failures, 10))
                await self._clock.sleep(longest * (0.5 + self._jitter() / 2))

    async def _turn(self) -> bool:
        """Receive once and handle what came, side by side; False when something is down."""
        try:
            messages = await self._queue.receive()
        except QueueUnavailable as error:
            get_logger().warning("rotation_queue_unavailable", cause=str(error))
            return False
        return all(await asyncio.gather(*map(self._handled, messages)))

    async def _handled(self, message: QueueMessage) -> bool:
        """Handle one message and delete it when that is done; False when it failed for a reason that passes."""
        deadline = self._clock.monotonic() + HANDLE_SECONDS
        with serving(CallContext("rotation_queue", self._new_id(), deadline=deadline)):
            try:
                await self._handle(message.body)
                await self._queue.delete(message)
            except SellergateError as error:
                return error.reason not in TEMPORARY
            except QueueUnavailable as error:
                get_logger().warning("rotation_queue_unavailable", cause=str(error))
                return False
            except Exception as error:  # noqa: BLE001  (a bug in one message must not end the consumer; it holds secrets)
                get_logger().error("rotation_bug", cause=type(error).__name__)
            return True
