"""A load of many simultaneous callers for a time, and its measurement."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

CALLERS = 32
SECONDS = 1.0
ROUNDS = 9


@dataclass(frozen=True)
class Measurement:
    """Calls a second, and the median of the seconds that a call took."""

    rate: float
    p50: float


async def load(call: Callable[[], Awaitable[object]], seconds: float = SECONDS, callers: int = CALLERS) -> Measurement:
    """Measure `callers` callers, each of which calls again as soon as it has its response."""
    took, end = list[float](), time.perf_counter() + seconds

    async def caller() -> None:
        began = time.perf_counter()
        while began < end:
            await call()
            now = time.perf_counter()
            took.append(now - began)
            began = now

    began = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(callers)))
    return Measurement(len(took) / (time.perf_counter() - began), statistics.median(took))


async def compare(
    subjects: dict[str, Callable[[], Awaitable[object]]], rounds: int = ROUNDS, callers: int = CALLERS
) -> dict[str, Measurement]:
    """Return each subject's medians, measured in turns so that the machine's changes of speed affect all alike."""
    found: dict[str, list[Measurement]] = {name: [] for name in subjects}
    for call in subjects.values():
        await load(call, 0.5, callers)
    for _ in range(rounds):
        for name, call in subjects.items():
            found[name].append(await load(call, callers=callers))
    return {
        name: Measurement(statistics.median(one.rate for one in each), statistics.median(one.p50 for one in each))
        for name, each in found.items()
    }
