"""Calls of a busy process go on in strides, two milliseconds' worth together: a wake-up of the loop costs as much as a call's work.

Below a rate that leaves the loop idle half of the time nobody waits for it (ADR 0017).
"""

import asyncio

STRIDE_SECONDS = 0.002
BUSY_CALLS_A_SECOND = 1_500
WINDOW_SECONDS = 0.1


class Strides:
    """One for all calls of a process. Busy is who had that many calls in the window before this one."""

    def __init__(self) -> None:
        self._busy = False
        self._calls = 0
        self._window_ends = 0.0
        self._next = 0.0
        self._waiting: list[asyncio.Future[None]] = []

    async def step(self) -> None:
        """Go on with the others of this stride; at once, when the process is not busy or the last stride is over."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        if now >= self._window_ends:
            self._busy = self._calls >= BUSY_CALLS_A_SECOND * WINDOW_SECONDS
            self._window_ends, self._calls = now + WINDOW_SECONDS, 0
        self._calls += 1
        if not self._waiting:
            if not self._busy or now >= self._next:
                self._next = now + STRIDE_SECONDS
                return
            loop.call_at(self._next, self._go)
        future = loop.create_future()
        self._waiting.append(future)
        await future

    def _go(self) -> None:
        waiting, self._waiting = self._waiting, []
        self._next = asyncio.get_running_loop().time() + STRIDE_SECONDS
        for future in waiting:
            if not future.done():
                future.set_result(None)
