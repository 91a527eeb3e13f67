"""CPU time of a thread's work, as a process that nothing traces spends it."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass
class CpuTime:
    """The CPU time of a piece of work, in seconds; 0 until its end."""

    seconds: float = 0.0


@contextmanager
def cpu_time() -> Iterator[CpuTime]:
    """Measure the thread's CPU time while the body runs, which coverage's tracer would multiply."""
    spent, tracer = CpuTime(), sys.gettrace()
    sys.settrace(None)
    began = time.thread_time()
    try:
        yield spent
    finally:
        spent.seconds = time.thread_time() - began
        sys.settrace(tracer)
