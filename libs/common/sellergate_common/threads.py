"""Blocking work in threads of its own, for libraries that know no event loop."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from typing import TypeVar

_Result = TypeVar("_Result")


async def in_thread(work: Callable[[], _Result], name: str) -> _Result:
    """Return what blocking work returns, from a thread named `name`; raise what it raises.

    The thread is a daemon: when the caller is cancelled, neither the loop nor the process waits for the work to end.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[_Result] = loop.create_future()

    def settle(result: _Result | None, error: BaseException | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]  # (without an error there is a result)

    def run() -> None:
        result, failure = None, None
        try:
            result = work()
        except Exception as error:  # noqa: BLE001  (raised again where it is awaited)
            failure = error
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(settle, result, failure)

    Thread(target=run, daemon=True, name=name).start()
    return await future
