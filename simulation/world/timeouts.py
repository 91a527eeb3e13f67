"""`asyncio.timeout` and `asyncio.wait_for` as a run needs them: about a thousand times, at less than half of the cost.

Both behave like those of the Python that runs: the `wait_for` of Python 3.11 swallows some cancellations, which a run must show.
"""

import asyncio
import sys
from contextlib import suppress
from typing import Any, Self

from redis.asyncio.connection import AbstractConnection

from simulation.world.loop import NODE, Handle, current_task, later_on


class Timeout:
    """What `asyncio.timeout` returns, for use in one `async with`. `delay` is in seconds; None: without an end."""

    __slots__ = ("_before", "_delay", "_expired", "_handle", "_task")

    def __init__(self, delay: float | None) -> None:
        self._delay = delay
        self._expired = False
        self._handle: Handle | None = None

    async def __aenter__(self) -> Self:
        """Begin."""
        self._task = task = current_task()
        self._before = task.cancelling()
        if self._delay is not None:
            later = self._delay > 0
            self._handle = (
                later_on(NODE.get(), self._delay, self._expire)
                if later
                else asyncio.get_running_loop().call_soon(self._expire)
            )
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        """End. Raises TimeoutError after the delay."""
        if self._handle is not None:
            self._handle.cancel()
        if self._expired and self._task.uncancel() <= self._before and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def _expire(self) -> None:
        self._task.cancel()
        self._expired = True

    def expired(self) -> bool:
        """Return whether the delay has passed."""
        return self._expired


_wait_for = asyncio.wait_for
_SENDS_COMMAND = AbstractConnection._send_packed_command.__code__


async def wait_for_as_of_311(awaitable: Any, timeout: float | None) -> Any:  # noqa: ASYNC109  (as asyncio has it)
    """Return the result of a future or coroutine. Raises TimeoutError after `timeout` seconds.

    A command that redis-py sends is written at once, and needs no task as others do. A cancellation that meets its end is
    swallowed in both ways.
    """
    if getattr(awaitable, "cr_code", None) is not _SENDS_COMMAND:
        return await _wait_for(awaitable, timeout)
    try:
        awaitable.send(None)
    except StopIteration as done:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(0)
        return done.value
    raise RuntimeError("a simulated connection takes what is written at once")


wait_for = wait_for_as_of_311 if sys.version_info < (3, 12) else asyncio.wait_for
