"""A load of many callers at once, for a time, and what came of it."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable

CALLERS = 32
SECONDS = 1.0
ROUNDS = 9


async def rate(call: Callable[[], Awaitable[object]], seconds: float = SECONDS, callers: int = CALLERS) -> float:
    """Return calls a second of `callers` that each call again as soon as they are answered."""
    done, end = 0, time.perf_counter() + seconds

    async def caller() -> None:
        nonlocal done
        while time.perf_counter() < end:
            await call()
            done += 1

    began = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(callers)))
    return done / (time.perf_counter() - began)


async def compared(subjects: dict[str, Callable[[], Awaitable[object]]], rounds: int = ROUNDS) -> dict[str, float]:
    """Return each subject's median rate, measured in turns so that the machine's moods strike all alike."""
    rates: dict[str, list[float]] = {name: [] for name in subjects}
    for call in subjects.values():
        await rate(call, 0.5)
    for _ in range(rounds):
        for name, call in subjects.items():
            rates[name].append(await rate(call))
    return {name: statistics.median(found) for name, found in rates.items()}
