"""Loads of many simultaneous callers, and their measurement: rate, times, and the CPU time of every process that took part."""

import asyncio
import os
import statistics
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from benches.effort import Effort
from benches.processes import cpu_seconds

CALLERS = 64
WARM_UP_SECONDS = 0.5
CALLER = "caller"
"""The process that makes the calls, which is this one."""

Call = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Measurement:
    """The measurement of one subject: calls a second, milliseconds of a call, and CPU milliseconds of each process for one call."""

    rate: float
    p50: float
    p99: float
    cpu: Mapping[str, float]
    calls: int

    def cost(self, *processes: str) -> float:
        """Return the CPU milliseconds that these processes together spend on one call."""
        return sum(self.cpu[name] for name in processes)


@dataclass(frozen=True, slots=True)
class Subject:
    """A call that is measured, and the processes that serve it, by name."""

    call: Call
    pids: Mapping[str, int]


@dataclass(slots=True)
class Sample:
    """One load: its length, the seconds of its calls, and the CPU seconds of the processes."""

    seconds: float
    took: list[float] = field(default_factory=list)
    cpu: dict[str, float] = field(default_factory=dict)


async def sample(calls: Iterable[Call], pids: Mapping[str, int], callers: int = CALLERS) -> Sample:
    """Make all calls by `callers` callers, each of which makes the next call as soon as it has its response."""
    left, took = iter(calls), list[float]()

    async def caller() -> None:
        for call in left:
            began = time.perf_counter()
            await call()
            took.append(time.perf_counter() - began)

    with charged(pids) as cpu:
        began = time.perf_counter()
        await asyncio.gather(*(caller() for _ in range(callers)))
        seconds = time.perf_counter() - began
    return Sample(seconds, took, cpu)


@contextmanager
def charged(pids: Mapping[str, int]) -> Iterator[dict[str, float]]:
    """Yield a mapping that holds, after the body, the CPU seconds that this process and those of `pids` spent in it."""
    processes = {CALLER: os.getpid(), **pids}
    before, cpu = {name: cpu_seconds(pid) for name, pid in processes.items()}, dict[str, float]()
    yield cpu
    cpu.update({name: cpu_seconds(pid) - before[name] for name, pid in processes.items()})


def repeated(call: Call, seconds: float) -> Iterator[Call]:
    """Yield a call for a number of seconds."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        yield call


def measurement_of(samples: list[Sample]) -> Measurement:
    """Return the median rate of several loads, and the times and costs of all their calls together."""
    took = sorted(seconds for one in samples for seconds in one.took)
    if not took:
        raise ValueError("no call ended; give the load more time")
    names = samples[0].cpu
    return Measurement(
        rate=statistics.median(len(one.took) / one.seconds for one in samples),
        p50=took[len(took) // 2] * 1000,
        p99=took[len(took) * 99 // 100] * 1000,
        cpu={name: sum(one.cpu[name] for one in samples) / len(took) * 1000 for name in names},
        calls=len(took),
    )


async def measure_each(calls: Iterable[Call], pids: Mapping[str, int], callers: int = CALLERS) -> Measurement:
    """Make each call once, and measure that."""
    return measurement_of([await sample(calls, pids, callers)])


async def compare(subjects: Mapping[str, Subject], effort: Effort, callers: int = CALLERS) -> dict[str, Measurement]:
    """Measure subjects in turns, so that the machine's changes of speed affect all alike."""
    found: dict[str, list[Sample]] = {name: [] for name in subjects}
    for one in subjects.values():
        await sample(repeated(one.call, WARM_UP_SECONDS), one.pids, callers)
    for _ in range(effort.rounds):
        for name, one in subjects.items():
            found[name].append(await sample(repeated(one.call, effort.seconds), one.pids, callers))
    return {name: measurement_of(samples) for name, samples in found.items()}
