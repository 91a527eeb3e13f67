"""Background tasks are restarted after every error of a run, and end when they are cancelled."""

import asyncio

import pytest
from sellergate_common import tasks
from sellergate_common.clock import Clock
from sellergate_common.tasks import BackgroundTasks


class Pauses:
    """A stopped clock that records the requested sleeps."""

    def __init__(self, most: int) -> None:
        self.seconds: list[float] = []
        self.enough = asyncio.Event()
        self._most = most

    async def sleep(self, seconds: float) -> None:
        self.seconds.append(seconds)
        if len(self.seconds) >= self._most:
            self.enough.set()
            await asyncio.Event().wait()
        await asyncio.sleep(0)

    def clock(self) -> Clock:
        return Clock(monotonic=lambda: 0.0, sleep=self.sleep)


@pytest.mark.parametrize("error", [RuntimeError("closed"), UnicodeDecodeError("utf-8", b"", 0, 1, "x"), KeyError("x")])
async def test_an_error_ends_only_one_run_and_pauses_grow(error: Exception) -> None:
    pauses, runs = Pauses(7), 0

    async def work() -> None:
        nonlocal runs
        runs += 1
        raise error

    background = BackgroundTasks(pauses.clock())
    async with background.run("listener", work) as state:
        await pauses.enough.wait()
        assert background.problems() == {"listener": type(error).__name__}
        assert (state.restarts, state.cause, runs) == (7, type(error).__name__, 7)
    assert pauses.seconds == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0]
    assert not background.states


async def test_a_run_that_returns_or_loses_a_cancellation_of_something_else_is_restarted() -> None:
    pauses, runs = Pauses(2), 0

    async def work() -> None:
        nonlocal runs
        runs += 1
        if runs == 2:
            raise asyncio.CancelledError

    async with BackgroundTasks(pauses.clock()).run("queue", work) as state:
        await pauses.enough.wait()
        assert (state.restarts, state.cause) == (2, "CancelledError")


async def test_a_task_that_swallows_its_cancellation_ends_at_the_next() -> None:
    swallowed = 0

    async def stubborn() -> None:
        nonlocal swallowed
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                swallowed += 1
                if swallowed == 3:
                    raise

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    assert await tasks.end(task)
    assert swallowed == 3


async def test_waiting_for_a_task_that_never_ends_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    release = asyncio.Event()

    async def uncancellable() -> None:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue

    task = asyncio.create_task(uncancellable())
    await asyncio.sleep(0)
    assert not await tasks.end(task, seconds=0.2)
    release.set()
    await task


async def test_the_error_of_an_ended_task_is_retrieved() -> None:
    async def failing() -> None:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            raise RuntimeError("in place of the cancellation") from None

    task = asyncio.create_task(failing())
    await asyncio.sleep(0)
    assert await tasks.end(task)


async def test_conditions_are_reported_with_the_tasks() -> None:
    background, wrong = BackgroundTasks(), ["no slot is free"]
    background.watch("lwa", lambda: wrong[0])
    async with background.run("listener", asyncio.Event().wait):  # type: ignore[arg-type]
        await asyncio.sleep(0)
        assert background.problems() == {"listener": "", "lwa": "no slot is free"}
        wrong[0] = ""
        assert not any(background.problems().values())
