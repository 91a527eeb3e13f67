"""The layer that gives every call a deadline: the caller's less what this hop keeps, or a default."""

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
    """Run `body` within a call's time. `time_remaining` is what the caller gave, in seconds; None: nothing was given.

    Raises OutOfTime when the time is over; with BEGUN in its metadata where a part of the work may have been done.
    """
    given = (STREAM_SECONDS if streams else UNARY_SECONDS) if time_remaining is None else time_remaining - HOP_SECONDS
    if given <= 0:
        raise OutOfTime("The deadline leaves no time to do anything; give the call more time.")
    call.deadline = time.monotonic() + given
    running = body()
    try:
        rest = _resume(running, running.send(None))
        async with asyncio.timeout(given):
            return await rest
    except StopIteration as done:
        return done.value  # most responses are in memory, and need no timer
    except TimeoutError:
        words = "The call ran out of time; give it more, or ask for less at once."
        raise OutOfTime(words, metadata=dict([BEGUN])) from None


@coroutine
def _resume(running: Coroutine[Any, Any, Any], waits_for: Any) -> Generator[Any, Any, Any]:
    """Go on with a coroutine that was begun by hand and waits for something.

    No local variable keeps an error, or the future that raised it: the traceback of the error holds this frame, which would hold
    the error again, and with it everything that the call holds, until the garbage collector looks for cycles.
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
