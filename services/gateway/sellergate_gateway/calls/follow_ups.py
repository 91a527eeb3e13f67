"""Work after Amazon's response. Its failures are logged; the caller of each step decides what they mean for the outcome."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from sellergate_common.observability.logs import get_logger

LONGEST_SECONDS = 5.0
# The caller gets Amazon's response these seconds before its deadline, even if follow-up work is still in progress.
RETURN_SECONDS = 0.025
_Result = TypeVar("_Result")


class FollowUps:
    """Work after a response, in separate tasks, which a caller's disconnect or deadline does not end.

    `left` returns the seconds until the current caller's deadline.
    """

    def __init__(self, left: Callable[[], float]) -> None:
        self._left = left
        self._running: set[asyncio.Task[Any]] = set()

    async def run(self, step: str, work: Coroutine[Any, Any, _Result], default: _Result) -> _Result:
        """Return the result of `work`, or `default` if it fails, is cancelled, or the caller's deadline is near."""
        task = asyncio.create_task(_guard(step, work, default))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        seconds = max(0.0, min(LONGEST_SECONDS, self._left() - RETURN_SECONDS))
        try:
            done, _ = await asyncio.wait({task}, timeout=seconds)
        except asyncio.CancelledError:
            if self._left() > RETURN_SECONDS:
                raise  # the caller has disconnected
            return default  # the deadline has passed on a busy loop
        return task.result() if done and not task.cancelled() else default


async def _guard(step: str, work: Coroutine[Any, Any, _Result], default: _Result) -> _Result:
    try:
        async with asyncio.timeout(LONGEST_SECONDS):
            return await work
    except Exception as error:  # noqa: BLE001  (no failure here may end the call)
        get_logger().warning("after_response_failed", step=step, cause=type(error).__name__)
        return default
