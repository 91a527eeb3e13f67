"""A runner of a service's module with a watchdog in its process: `python watched.py sellergate_gateway`.

uvloop's handles are not Python objects, so callbacks are wrapped when they are passed to the loop: callbacks (including
steps of tasks), readers, timers, and methods of protocols. Lines of JSON on standard error report, every few seconds,
the callback with the most CPU time of the loop's thread, and at once any with too much and its position.
"""

import asyncio
import json
import runpy
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import uvloop

MOST_SECONDS = 0.1
WINDOW_SECONDS = 5.0
_SAMPLE_SECONDS = 0.02
_FRAMES = 12


class Watchdog:
    """A watchdog that measures the callbacks of its own thread."""

    def __init__(self) -> None:
        self._thread = threading.get_ident()
        self._clock = time.pthread_getcpuclockid(self._thread)
        self._began: float | None = None
        self._where = ""
        self._worst, self._culprit, self._callbacks = 0.0, "", 0
        threading.Thread(target=self._look, daemon=True, name="watchdog").start()

    def around(self, callback: Callable[..., Any]) -> Callable[..., Any]:
        """Return the callback with a measurement around it."""

        def measured(*given: Any) -> Any:
            if self._began is not None or threading.get_ident() != self._thread:
                return callback(*given)
            self._began = time.thread_time()
            try:
                return callback(*given)
            finally:
                self._ended(callback)

        return measured

    def _ended(self, callback: Callable[..., Any]) -> None:
        took = time.thread_time() - (self._began or 0.0)
        self._began = None
        self._callbacks += 1
        if took > self._worst:
            self._worst, self._culprit = took, named(callback)
        if took > MOST_SECONDS:
            log_event("slow_callback", seconds=round(took, 4), callback=named(callback), where=self._where)
        self._where = ""

    def _look(self) -> None:
        """Record the position of a long callback, and report the worst of each window."""
        until = time.monotonic() + WINDOW_SECONDS
        while True:
            time.sleep(_SAMPLE_SECONDS)
            began = self._began
            if began is not None and time.clock_gettime(self._clock) - began > MOST_SECONDS / 2:
                frame = sys._current_frames().get(self._thread)
                frames = traceback.extract_stack(frame)[-_FRAMES:] if frame else []
                where = " > ".join(f"{one.filename.rpartition('/')[2]}:{one.lineno} {one.name}" for one in frames)
                if self._began == began:
                    self._where = where
            if time.monotonic() > until:
                until += WINDOW_SECONDS
                log_event("loop_watch", worst=round(self._worst, 4), callback=self._culprit, callbacks=self._callbacks)
                self._worst, self._culprit, self._callbacks = 0.0, "", 0


def named(callback: Callable[..., Any]) -> str:
    """Return the name of a callback, without its arguments, which may be secret."""
    owner = getattr(callback, "__self__", None)
    if isinstance(owner, asyncio.Task):
        return f"a step of {owner.get_coro().__qualname__}"  # type: ignore[union-attr]
    return str(getattr(callback, "__qualname__", type(callback).__qualname__))


def log_event(event: str, **values: Any) -> None:
    """Write a line to standard error."""
    sys.stderr.write(json.dumps({"event": event, "level": "info", **values}) + "\n")


def install() -> None:
    """Measure every loop that uvloop creates from now on in this thread."""
    watchdog, plain = Watchdog(), uvloop.Loop
    around = watchdog.around

    class Watched(plain):  # type: ignore[misc, valid-type]
        """A loop with measured callbacks."""

        def call_soon(self, callback: Any, *given: Any, context: Any = None) -> Any:
            return super().call_soon(around(callback), *given, context=context)

        def call_soon_threadsafe(self, callback: Any, *given: Any, context: Any = None) -> Any:
            return super().call_soon_threadsafe(around(callback), *given, context=context)

        def call_later(self, delay: float, callback: Any, *given: Any, context: Any = None) -> Any:
            return super().call_later(delay, around(callback), *given, context=context)

        def call_at(self, when: float, callback: Any, *given: Any, context: Any = None) -> Any:
            return super().call_at(when, around(callback), *given, context=context)

        def add_reader(self, descriptor: Any, callback: Any, *given: Any) -> Any:
            return super().add_reader(descriptor, around(callback), *given)

        def add_writer(self, descriptor: Any, callback: Any, *given: Any) -> Any:
            return super().add_writer(descriptor, around(callback), *given)

        async def create_server(self, factory: Any, *given: Any, **named: Any) -> Any:
            return await super().create_server(_measured(factory, around), *given, **named)

        async def connect_accepted_socket(self, factory: Any, *given: Any, **named: Any) -> Any:
            return await super().connect_accepted_socket(_measured(factory, around), *given, **named)

        async def create_connection(self, factory: Any, *given: Any, **named: Any) -> Any:
            return await super().create_connection(_measured(factory, around), *given, **named)

    uvloop.Loop = Watched  # type: ignore[misc]


def _measured(factory: Callable[[], Any], around: Callable[[Any], Any]) -> Callable[[], Any]:
    """Return a factory of protocols whose data_received is measured, where a protocol's attributes can be set."""

    def made() -> Any:
        protocol = factory()
        with suppress(AttributeError):
            protocol.data_received = around(protocol.data_received)
        return protocol

    return made


if __name__ == "__main__":
    module = sys.argv.pop(1)
    install()
    runpy.run_module(module, run_name="__main__", alter_sys=True)
