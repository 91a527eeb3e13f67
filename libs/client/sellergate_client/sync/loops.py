"""An event loop in a thread of its own, in which a synchronous client's calls run."""

import asyncio
import inspect
import os
import threading
import warnings
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

from sellergate_client.rpc.ownership import ClientUseError, check_process, running_loop

_Result = TypeVar("_Result")
_PACKAGE = str(Path(__file__).parent.parent)


class EventLoop:
    """An event loop in a thread. Submitted work has its own deadlines, so waiting for it needs none."""

    def __init__(self) -> None:
        self._process = os.getpid()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="sellergate", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        """Return the result of `work`; an interrupted wait (Ctrl-C) cancels it.

        Warns where it blocks another event loop. Raises ClientUseError in a forked process, and in a callback that this loop
        runs: the wait would have no end.
        """
        return self._wait(work, blocks=running_loop() not in (None, self._loop))

    def make(self, make: Callable[[], _Result]) -> _Result:
        """Return what `make` returns in this loop, which does no work for it. Raises ClientUseError as `run`."""
        return self._wait(_made(make))

    def _wait(self, work: Coroutine[Any, Any, _Result], *, blocks: bool = False) -> _Result:
        try:
            self._check()
            if blocks:
                _warn_of_blocked_loop()
        except (ClientUseError, RuntimeWarning):
            work.close()
            raise
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def _check(self) -> None:
        check_process(self._process)
        if threading.current_thread() is self._thread:
            raise ClientUseError(
                "on_progress is called by the client's own thread and cannot wait for a call; make the call outside of it."
            )

    def each(self, items: AsyncIterator[_Result]) -> Iterator[_Result]:
        """Yield the items of an asynchronous iterator, and close it at the end."""
        missing = object()
        try:
            while (item := self.run(_next(items, missing))) is not missing:
                yield item
        finally:
            if isinstance(items, AsyncGenerator):
                self.run(items.aclose())

    def close(self) -> None:
        """End the thread; a forked process has no copy of it."""
        if os.getpid() != self._process:
            return
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def _warn_of_blocked_loop() -> None:
    """Warn at the program's line: its own event loop is blocked until the client's has done the work."""
    level, frame = 1, inspect.currentframe()
    while frame is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        level, frame = level + 1, frame.f_back
    warnings.warn(
        "A client of sellergate_client.sync blocks the event loop that runs here until its call has ended. Use"
        " sellergate_client.SellingPartner with await, or call from a thread (asyncio.to_thread).",
        RuntimeWarning,
        stacklevel=level,
    )


async def _next(items: AsyncIterator[Any], missing: object) -> Any:
    return await anext(items, missing)


async def _made(make: Callable[[], _Result]) -> _Result:
    """Return what `make` returns in the client's own event loop."""
    return make()
