"""The deadline of every call: the caller's less a reserve of this hop, or a default."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Generator
from types import coroutine
from typing import Any

from sellergate_common.context import HOP_SECONDS, CallContext
from sellergate_common.errors import OutOfTime
from sellergate_common.status import BEGUN

UNARY_SECONDS = 30.0
STREAM_SECONDS = 3600.0


async def within_deadline(
    call: CallContext, time_remaining: float | None, body: Callable[[], Coroutine[Any, Any, Any]], *, streams: bool
) -> Any:
    """Run `body` within a call's deadline. `time_remaining` is the caller's, in seconds; None if the caller set none.

    Raises OutOfTime when the time is over, with BEGUN in its metadata where part of the work may have been done.
    """
    given = (STREAM_SECONDS if streams else UNARY_SECONDS) if time_remaining is None else time_remaining - HOP_SECONDS
    if given <= 0:
        raise OutOfTime("The deadline leaves no time to begin the call; retry with a longer one.")
    call.deadline = time.monotonic() + given
    running = body()
    try:
        rest = _resume(running, running.send(None))
        async with asyncio.timeout(given):
            return await rest
    except StopIteration as done:
        return done.value  # most responses come from memory and need no timer
    except TimeoutError:
        words = "The call's deadline passed; retry with a longer one, or request less at once."
        raise OutOfTime(words, metadata=dict([BEGUN])) from None


@coroutine
def _resume(running: Coroutine[Any, Any, Any], waits_for: Any) -> Generator[Any, Any, Any]:
    """Continue a coroutine that was started by hand and waits for a future.

    No local variable keeps an error, or the future that raised it: the error's traceback refers to this frame, and a
    reference back would keep all objects of the call until a garbage collection.
    """
    try:
        while True:
            try:
                sent = yield waits_for
            except BaseException as error:  # noqa: BLE001  (a cancellation too is for the coroutine)
                del waits_for
                waits_for = running.throw(error)
            else:
                del waits_for
                waits_for = running.send(sent)
    except StopIteration as done:
        return done.value
