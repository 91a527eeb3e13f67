"""Blocking work in its own threads, for libraries that do not support event loops."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from typing import TypeVar

_Result = TypeVar("_Result")


class Threads:
    """A pool of at most `most` threads, each named `name`: work that hangs occupies only the threads of its own kind.

    The threads are daemons: neither the loop nor the process waits for work whose caller was cancelled.
    """

    def __init__(self, name: str, most: int) -> None:
        self._name = name
        self._free = asyncio.Semaphore(most)
        self._callers = 0
        self.busy = 0

    @property
    def idle(self) -> bool:
        """Whether no thread is busy and no caller waits for one."""
        return not self.busy and not self._callers

    async def run(self, work: Callable[[], _Result]) -> _Result:
        """Run blocking work once a thread is free; return its result or raise its error.

        Work that has begun occupies its thread until it ends, even when its caller is cancelled.
        """
        self._callers += 1
        try:
            await self._free.acquire()
        finally:
            self._callers -= 1
        self.busy += 1
        loop = asyncio.get_running_loop()
        future: asyncio.Future[_Result] = loop.create_future()

        def settle(future: asyncio.Future[_Result], result: _Result | None, error: BaseException | None) -> None:
            self._give_back()
            if future.done():
                return
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)  # type: ignore[arg-type]  # (without an error there is a result)

        def run(future: asyncio.Future[_Result]) -> None:
            result, failure = None, None
            try:
                result = work()
            except Exception as error:  # noqa: BLE001  (raised again where it is awaited)
                failure = error
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(settle, future, result, failure)
            # The error's traceback refers to this frame; a reference back would keep the work's objects until a garbage collection.
            del future, result, failure

        try:
            Thread(target=run, args=(future,), daemon=True, name=self._name).start()
        except RuntimeError:  # the machine has no thread left
            self._give_back()
            raise
        try:
            return await future
        finally:
            del future

    def _give_back(self) -> None:
        self.busy -= 1
        self._free.release()
