"""`asyncio.timeout` as a run needs it: about a thousand times, at less than half of the cost.

`asyncio.wait_for` stays that of the Python that runs: the one of Python 3.11 swallows some cancellations, which a run must show.
"""

import asyncio
from typing import Self

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
