"""Closed loops of callers that return when a service says, and what its own log shows of its refusals."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from sellergate_common.errors import Reason, SellergateError

# Goodput is back when a second has this share of the best one.
SHARE = 0.8


@dataclass
class Load:
    """What became of the calls of many callers, each for an account of its own. Times are monotonic."""

    call: Callable[[str], Awaitable[None]]
    accounts: list[str]
    done: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    other: Counter[str] = field(default_factory=Counter)

    async def goodput(self, callers: int, seconds: float) -> float:
        """Call for a time; return the calls that were done in a second."""
        before, began = len(self.done), time.monotonic()
        tasks = self.started(callers)
        await asyncio.sleep(seconds)
        rate = (len(self.done) - before) / (time.monotonic() - began)
        await ended(tasks)
        return rate

    def started(self, callers: int) -> "list[asyncio.Task[None]]":
        """Start so many callers."""
        return [asyncio.create_task(self._caller(account)) for account in self.accounts[:callers]]

    def recovered(self, since: float, best: float) -> float:
        """Return in how many seconds after `since` a whole second had SHARE of the best goodput; infinity: in none."""
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
                    self.other[error.reason] += 1
                await asyncio.sleep(error.retry_after or 0.1)
            else:
                self.done.append(time.monotonic())


async def ended(tasks: "list[asyncio.Task[None]]") -> None:
    """Let callers leave at once, their calls with them."""
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
class Outcome:
    """What ten times the callers that saturate a service make of it."""

    best: float
    overloaded: float
    refused: list[float]
    done: int
    other: Counter[str]
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
            f" {self.after:.0f}/s after; {self.done} done, {len(self.refused)} refused by the log, at 50, 95, 99 and 100 % within"
            f" {', '.join(f'{one * 1000:.0f}' for one in shown)} ms; failed otherwise {dict(self.other)};"
            f" recovered in {self.recovery:.1f} s"
        )


async def overloaded(load: Load, log: Path, saturating: int, times: int, seconds: float) -> Outcome:
    """Find the best goodput, overload the service for a time, and let all but the saturating callers leave."""
    best = max([await load.goodput(callers, 6.0) for callers in (saturating // 2, saturating, saturating)])
    load.other.clear()
    offset, before, began = log.stat().st_size, len(load.done), time.monotonic()
    tasks = load.started(times * saturating)
    await asyncio.sleep(seconds)
    end = time.monotonic()
    done, other = len(load.done) - before, load.other.copy()
    await ended(tasks[saturating:])
    refused = refusals(log, offset)
    await asyncio.sleep(10.0)
    await ended(tasks[:saturating])
    recovery = load.recovered(end, best)
    return Outcome(best, done / (end - began), refused, done, other, recovery, await load.goodput(saturating, 6.0))
