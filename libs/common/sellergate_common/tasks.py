"""Background tasks: the supervisor of work that never returns, and the function that ends a task within a bound.

A single cancellation may be lost: on Python 3.11 `asyncio.wait_for` swallows it when its inner future is done at that
moment, and libraries replace it with the error of the connection that they close. `end` therefore cancels repeatedly
until the task is done, and after a time stops and logs a line.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from sellergate_common.clock import SYSTEM_CLOCK, Clock
from sellergate_common.observability.logs import get_logger

END_SECONDS = 2.0
_CANCEL_AGAIN_SECONDS = 0.05
FIRST_BACKOFF_SECONDS, LONGEST_BACKOFF_SECONDS = 0.1, 5.0
# After a run of at least these seconds, the pause is the shortest one again.
STEADY_SECONDS = 30.0


def is_cancelled() -> bool:
    """Return whether the current task was cancelled, even if the cancellation was swallowed."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def let_others_run() -> None:
    """Return after the event loop has run the callbacks that are due: call it within long work of the loop's thread."""
    await asyncio.sleep(0)  # noqa: TID251  (it takes no time)


async def end(task: "asyncio.Task[Any]", seconds: float = END_SECONDS) -> bool:
    """Cancel a task until it ends, for `seconds` at most; return whether it ended. Its own error is not raised."""
    loop = asyncio.get_running_loop()
    give_up = loop.time() + seconds
    task.add_done_callback(retrieve)
    while not task.done() and loop.time() < give_up:
        task.cancel()
        await asyncio.wait({task}, timeout=_CANCEL_AGAIN_SECONDS)
    if not task.done():
        get_logger().error("task_did_not_end", task=task.get_name(), seconds=seconds)
    return task.done()


def abandon(task: "asyncio.Task[Any]") -> None:
    """Cancel a task whose result is no longer needed, without waiting for it; its error is retrieved and not raised."""
    task.add_done_callback(retrieve)
    task.cancel()


def retrieve(task: "asyncio.Task[Any]") -> None:
    """Retrieve the error of a task that no caller awaits, so that asyncio does not log it as never retrieved."""
    if not task.cancelled():
        task.exception()


@dataclass(slots=True)
class TaskState:
    """The state of one background task. `cause` names the error that ended its last run; empty while it runs well."""

    name: str
    running: bool = False
    restarts: int = 0
    cause: str = ""


@dataclass(slots=True)
class BackgroundTasks:
    """The background tasks and health conditions of a process, for its health and metrics."""

    clock: Clock = SYSTEM_CLOCK
    states: dict[str, TaskState] = field(default_factory=dict)
    _checks: dict[str, Callable[[], str]] = field(default_factory=dict)

    def watch(self, name: str, check: Callable[[], str]) -> None:
        """Add a health condition: `check` returns the problem in a few words, or an empty text while there is none."""
        self._checks[name] = check

    def problems(self) -> dict[str, str]:
        """Return the problem of each task and condition; an empty text where there is none."""
        tasks = {name: "" if state.running else state.cause or "not started" for name, state in self.states.items()}
        return tasks | {name: check() for name, check in self._checks.items()}

    @asynccontextmanager
    async def run(self, name: str, work: Callable[[], Awaitable[None]]) -> AsyncIterator[TaskState]:
        """Run `work` as a background task while the body runs; restart it, with growing pauses, whenever it ends.

        An error that `work` raises is logged by its type and ends only that run, never the task.
        """
        state = self.states[name] = TaskState(name)
        task = asyncio.create_task(self._supervise(state, work), name=name)
        try:
            yield state
        finally:
            await end(task)
            self.states.pop(name, None)

    async def _supervise(self, state: TaskState, work: Callable[[], Awaitable[None]]) -> None:
        pause = FIRST_BACKOFF_SECONDS
        while not is_cancelled():
            started, cause = self.clock.monotonic(), "returned"
            state.running = True
            try:
                await work()
            except asyncio.CancelledError:
                if is_cancelled():
                    raise
                cause = "CancelledError"  # cancellation of a future that it awaited, not of this task
            except Exception as error:  # noqa: BLE001  (a bug in one run must not end the task for good)
                cause = type(error).__name__
            state.running, state.cause = False, cause
            if is_cancelled():
                return
            state.restarts += 1
            if self.clock.monotonic() - started >= STEADY_SECONDS:
                pause = FIRST_BACKOFF_SECONDS
            get_logger().error("background_task_ended", task=state.name, cause=cause, restart_in_seconds=pause)
            await self.clock.sleep(pause)
            pause = min(LONGEST_BACKOFF_SECONDS, pause * 2)
            state.cause = ""
