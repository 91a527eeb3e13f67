"""Closed loops of callers that retry at the time that a service names, and the service's refusals by its log."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sellergate_common.errors import Reason, SellergateError

# Goodput has recovered when a second has this share of the best one.
SHARE = 0.8
ROUNDS = 3
# Seconds of a window without overload, of one with half the callers, and until the window that follows one more or fewer callers.
WINDOW_SECONDS, HALF_SECONDS, SETTLING_SECONDS = 10.0, 6.0, 6.0
# Callers that arrive at the same time are refused, and retry, at nearly the same time too.
ARRIVAL_SECONDS = 5.0


@dataclass
class Load:
    """The outcomes of the calls of many callers, each for its own account. Times are monotonic."""

    call: Callable[[str], Awaitable[None]]
    accounts: list[str]
    done: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    # Failures other than refusals: those until `arrived`, and those after it.
    arrived: float = 0.0
    arriving: Counter[str] = field(default_factory=Counter)
    other: Counter[str] = field(default_factory=Counter)

    async def window(self, seconds: float) -> "Window":
        """Count the completed calls of the present callers in a time."""
        before, began = len(self.done), time.monotonic()
        await asyncio.sleep(seconds)
        return Window(len(self.done) - before, time.monotonic() - began)

    async def window_of(self, callers: int, seconds: float) -> "Window":
        """Count the completed calls of exactly this number of callers in a time."""
        tasks = self.start(0, callers)
        window = await self.window(seconds)
        await ended(tasks)
        return window

    def start(self, first: int, last: int) -> "list[asyncio.Task[None]]":
        """Start the callers of these accounts."""
        return [asyncio.create_task(self._caller(account)) for account in self.accounts[first:last]]

    def recovered(self, since: float, best: float) -> float:
        """Return the seconds after `since` until a whole second had SHARE of the best goodput; infinity if none had."""
        times = [at - since for at in self.done if at >= since]
        for tenth in range(10, 10 * (int(times[-1]) + 1) if times else 0):
            end = tenth / 10
            if sum(end - 1 < at <= end for at in times) >= SHARE * best:
                return end
        return float("inf")

    async def _caller(self, account: str) -> None:
        while True:
            began = time.monotonic()
            try:
                await self.call(account)
            except SellergateError as error:
                if error.reason is Reason.OVERLOADED:
                    self.refused.append(time.monotonic() - began)
                else:
                    failed = self.arriving if time.monotonic() < self.arrived else self.other
                    failed[error.reason] += 1
                await asyncio.sleep(error.retry_after or 0.1)
            else:
                self.done.append(time.monotonic())


async def ended(tasks: "list[asyncio.Task[None]]") -> None:
    """Cancel callers and their calls at once."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


def refusals(log: Path, offset: int) -> list[float]:
    """Return the seconds from the arrival of each refused call to its refusal, sorted, by a service's log from `offset` on."""
    with log.open("rb") as file:
        file.seek(offset)
        lines = [json.loads(line) for line in file if b'"reason":"OVERLOADED"' in line and line.endswith(b"\n")]
    return sorted(line["milliseconds"] / 1000 for line in lines if line["event"] == "rpc")


@dataclass(frozen=True)
class Window:
    """The completed calls of a time."""

    done: int
    seconds: float

    @property
    def rate(self) -> float:
        """The calls per second."""
        return self.done / self.seconds


def rate(windows: Sequence[Window]) -> float:
    """Return the calls per second of all windows together."""
    return sum(one.done for one in windows) / sum(one.seconds for one in windows)


@dataclass(frozen=True)
class Outcome:
    """The effect of ten times the callers that saturate a service. Rates are calls in a second, `recovery` is the longest.

    `other` counts failed calls, those while callers arrive for the worst arrival only; `arrivals` has those of each.
    """

    best: float
    peak: float
    overloaded: float
    refused: list[float]
    done: int
    other: Counter[str]
    arrivals: list[int]
    recovery: float
    after: float

    def __str__(self) -> str:
        shown = (
            [self.refused[int(share * (len(self.refused) - 1))] for share in (0.5, 0.95, 0.99, 1)]
            if self.refused
            else []
        )
        return (
            f"goodput {self.best:.0f}/s at best, {self.overloaded:.0f}/s overloaded ({self.overloaded / self.best:.0%}),"
            f" {self.after:.0f}/s after, {self.peak:.0f}/s in the best window;"
            f" {self.done} done, {len(self.refused)} refused by the log, at 50, 95, 99 and 100 % within"
            f" {', '.join(f'{one * 1000:.0f}' for one in shown)} ms; failed otherwise {dict(self.other)},"
            f" on arrival {self.arrivals};"
            f" recovered in {self.recovery:.1f} s"
        )


async def overloaded(load: Load, log: Path, saturating: int, times: int, seconds: float) -> Outcome:
    """Saturate a service and overload it in turn, `seconds` overloaded in all, and compare the sums.

    The speed of a machine drifts by a third within minutes. The best of a few short windows, compared with a mean over the
    minute after them, would count drift and chance as an effect of the overload. So windows without overload lie before,
    between and after those with it: both kinds have the same middle, and a drift slows both alike. The sums of both kinds are
    compared. Each recovery is judged by the window just before its overload. Half the callers count too, if they got more done.
    Callers arrive once a round; failures while they do count for the worst arrival only, as if the whole overload had been one.
    """
    halves = [await load.window_of(saturating // 2, HALF_SECONDS)]
    callers = load.start(0, saturating)
    await asyncio.sleep(SETTLING_SECONDS)
    calm, heavy = [await load.window(WINDOW_SECONDS)], list[Window]()
    refused, other, arrivals, recovery = list[float](), Counter[str](), list[Counter[str]](), 0.0
    for _ in range(ROUNDS):
        load.other.clear()
        load.arriving.clear()
        load.arrived = time.monotonic() + ARRIVAL_SECONDS
        offset = log.stat().st_size
        more = load.start(saturating, times * saturating)
        heavy.append(await load.window(seconds / ROUNDS))
        end = time.monotonic()
        other += load.other
        arrivals.append(load.arriving.copy())
        await ended(more)
        refused += refusals(log, offset)
        await asyncio.sleep(SETTLING_SECONDS)
        recovery = max(recovery, load.recovered(end, calm[-1].rate))
        calm.append(await load.window(WINDOW_SECONDS))
    await ended(callers)
    halves.append(await load.window_of(saturating // 2, HALF_SECONDS))
    return Outcome(
        best=max(rate(calm), rate(halves)),
        peak=max(one.rate for one in (*calm, *halves)),
        overloaded=rate(heavy),
        refused=sorted(refused),
        done=sum(one.done for one in heavy),
        other=other + max(arrivals, key=Counter.total),
        arrivals=[one.total() for one in arrivals],
        recovery=recovery,
        after=rate(calm[1:]),
    )
