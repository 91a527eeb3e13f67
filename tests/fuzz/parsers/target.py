"""A target of fuzzing: a parser, the errors that it documents, and the judgement of one input."""

import asyncio
import atexit
import resource
import sys
import time
import traceback
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

CANARY = "canary-of-a-secret"
"""A secret of the seeds. No error may repeat it."""
MOST_SECONDS = 1.0
"""The most seconds of CPU time for one input, which has at most MOST_BYTES."""
MOST_BYTES = 16 * 1024
MOST_GROWTH_BYTES = 128 * 1024 * 1024
"""The most by which one input may raise the peak of the process's memory."""
# In KiB on Linux, in bytes on macOS (getrusage).
_UNIT = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True, slots=True)
class Parser:
    """A parser of bytes. `errors` are those that it documents; any other exception is a fault.

    `quotes` returns whether an error may repeat parts of an input, such as Amazon's own words.
    """

    parse: Callable[[bytes], object]
    errors: tuple[type[Exception], ...]
    seeds: tuple[bytes, ...]
    quotes: Callable[[bytes], bool] = lambda _: False


@dataclass(frozen=True, slots=True)
class Target:
    """A parser that is not imported yet, and the modules whose coverage guides its fuzzing and is stated."""

    name: str
    modules: tuple[str, ...]
    load: Callable[[], Parser]


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault. `kind` is the same for each input that finds the same one."""

    kind: str
    details: str


def fault_of(parser: Parser, data: bytes) -> Fault | None:
    """Return the fault that an input finds, if any."""
    peak, began = _peak(), time.thread_time()
    found = _outcome(parser, data)
    seconds, growth = time.thread_time() - began, _peak() - peak
    if found is None and seconds > MOST_SECONDS:
        return Fault("takes too long", f"{seconds:.1f} s of CPU time for {len(data)} bytes")
    if found is None and growth > MOST_GROWTH_BYTES:
        return Fault("takes too much memory", f"{growth / 1e6:.0f} MB for {len(data)} bytes")
    return found


def _outcome(parser: Parser, data: bytes) -> Fault | None:
    try:
        parser.parse(data)
    except parser.errors as error:
        if CANARY in "".join(_texts(error)) and not parser.quotes(data):
            return Fault(f"{type(error).__name__} repeats a secret", "".join(_texts(error))[:500])
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001  (a panic in Rust is no Exception)
        place = _place(error)
        return Fault(f"{type(error).__name__} at {place}", f"{error!s:.300}")
    return None


def _texts(error: BaseException | None) -> Iterator[str]:
    """Yield the texts of an error and of those that its traceback would show."""
    while error is not None:
        yield f"{error!r} {error} {getattr(error, '__dict__', '')}"
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _place(error: BaseException) -> str:
    """Return the innermost line of the product's code."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "sellergate_" in frame.filename] or frames
    return f"{Path(own[-1].filename).name}:{own[-1].lineno}" if own else "an unknown place"


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT


@cache
def _loop() -> asyncio.AbstractEventLoop:
    """Return the loop of all targets that wait for threads or bound their time."""
    loop = asyncio.new_event_loop()
    atexit.register(loop.close)
    return loop


def waited(work: Coroutine[Any, Any, Any]) -> Any:
    """Return the result of a coroutine."""
    return _loop().run_until_complete(work)


def finished(work: Coroutine[Any, Any, Any]) -> Any:
    """Return the result of a coroutine that waits for nothing."""
    try:
        work.send(None)
    except StopIteration as end:
        return end.value
    work.close()
    raise AssertionError("the parser waits")
