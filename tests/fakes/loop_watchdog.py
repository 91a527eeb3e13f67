"""A watchdog of the event loop: the CPU time of each callback in the loop's thread, independent of the machine's load."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from tests.fakes.cpu_time import cpu_time

MOST_SECONDS = 0.1
"""The most CPU seconds of one callback."""


@dataclass
class Watch:
    """The result of a watch. `worst` is in seconds of the thread's CPU time."""

    callbacks: int = 0
    worst: float = 0.0
    culprit: str = ""


@contextmanager
def watched_loop(most: float = MOST_SECONDS) -> Iterator[Watch]:
    """Measure every callback of asyncio's loops while the body runs. Raises AssertionError for one above `most` seconds."""
    watch, run = Watch(), asyncio.Handle._run

    def measured(handle: asyncio.Handle) -> None:
        began = time.thread_time()
        try:
            run(handle)
        finally:
            took = time.thread_time() - began
            watch.callbacks += 1
            if took > watch.worst:
                watch.worst, watch.culprit = took, repr(handle)

    # Callbacks are measured without coverage's tracer.
    with cpu_time(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncio.Handle, "_run", measured)
        yield watch
    assert watch.callbacks, "no loop of asyncio ran"
    assert watch.worst <= most, f"{watch.culprit} took {watch.worst:.3f} s of the loop's thread"
