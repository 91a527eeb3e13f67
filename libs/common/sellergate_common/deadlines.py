"""The layer that gives every call a deadline: the caller's less what this hop keeps, or a default."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Generator
from functools import partial
from types import coroutine
from typing import Any

from sellergate_common.context import HOP_SECONDS, CallContext
from sellergate_common.errors import OutOfTime

UNARY_SECONDS = 30.0
STREAM_SECONDS = 3600.0


async def within_deadline(
    call: CallContext, time_remaining: float | None, body: Callable[[], Coroutine[Any, Any, Any]], *, streams: bool
) -> Any:
    """Run `body` within a call's time. `time_remaining` is what the caller gave, in seconds; None: nothing was given.

    Raises OutOfTime when the time is over.
    """
    given = (STREAM_SECONDS if streams else UNARY_SECONDS) if time_remaining is None else time_remaining - HOP_SECONDS
    if given <= 0:
        raise OutOfTime("The deadline leaves no time to do anything; give the call more time.")
    call.deadline = time.monotonic() + given
    running = body()
    try:
        waits_for = running.send(None)
    except StopIteration as done:
        return done.value  # most answers are in memory, and need no timer
    limit = _Limit(given)
    try:
        return await _resumed(running, waits_for)
    except asyncio.CancelledError:
        if not limit.was_it():
            raise
        raise OutOfTime("The call ran out of time; give it more, or ask for less at once.") from None
    finally:
        limit.end()


class _Limit:
    """Cancels the current task when its time is over: what asyncio.timeout does, for a third of what that costs a call."""

    __slots__ = ("_before", "_handle", "_over", "_task")

    def __init__(self, seconds: float) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("no task runs")
        self._task, self._before, self._over = task, task.cancelling(), False
        self._handle = asyncio.get_running_loop().call_later(seconds, self._cancel)

    def _cancel(self) -> None:
        self._over = True
        self._task.cancel()

    def was_it(self) -> bool:
        """Tell whether this cancelled the task, and nobody else did; the task is cancelled no more then."""
        return self._over and self._task.uncancel() <= self._before

    def end(self) -> None:
        """Stop the clock."""
        self._handle.cancel()


@coroutine
def _resumed(running: Coroutine[Any, Any, Any], waits_for: Any) -> Generator[Any, Any, Any]:
    """Go on with a coroutine that was begun by hand and waits for something."""
    while True:
        try:
            sent = yield waits_for
        except BaseException as error:  # noqa: BLE001  (a cancellation too is for the coroutine)
            step = partial(running.throw, error)
        else:
            step = partial(running.send, sent)
        try:
            waits_for = step()
        except StopIteration as done:
            return done.value
