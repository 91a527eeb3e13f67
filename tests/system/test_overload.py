"""The token service under ten times the cold callers that saturate it: closed loops that return when they are told to."""

import asyncio
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sellergate_common.errors import Reason, SellergateError

from tests.e2e.token_service import TokenService
from tests.system.token_fleet import fleet

# LWA responds in this time, so that its connections are the bottleneck, whatever else the machine does.
LWA_SECONDS = 2.0
SATURATING, TIMES, SECONDS = 80, 10, 20.0
DEADLINE_SECONDS = 8.0
REFUSED_WITHIN_SECONDS, RECOVERED_WITHIN_SECONDS = 0.25, 5.0


@dataclass
class Load:
    """What became of the calls of many callers, each for an account of its own: the time that each took, by its end."""

    tokens: TokenService
    accounts: list[str]
    done: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    other: list[str] = field(default_factory=list)

    async def run(self, callers: int, seconds: float) -> float:
        """Call for a time; return the calls that were done in a second."""
        self.done.clear()
        self.refused.clear()
        self.other.clear()
        end = time.monotonic() + seconds
        await asyncio.gather(*(self._call(account, end) for account in self.accounts[:callers]))
        return len(self.done) / seconds

    async def _call(self, account: str, end: float) -> None:
        while (began := time.monotonic()) < end:
            try:
                await self.tokens.get(account)
            except SellergateError as error:
                if error.reason is Reason.OVERLOADED:
                    self.refused.append(time.monotonic() - began)
                else:
                    self.other.append(error.reason)
                await asyncio.sleep(error.retry_after or 0.1)
            else:
                self.done.append(time.monotonic() - began)
                await self.tokens.clear(account)  # the next call is cold again


@pytest.mark.timeout(300)
async def test_goodput_stays_near_its_best_and_comes_back(tmp_path: Path) -> None:
    async with fleet(tmp_path) as running:
        await running.add(TIMES * SATURATING)
        slow = {"kind": "lwa_slow", "delay_seconds": LWA_SECONDS}
        (await running.control.post("/control/faults", json=slow)).raise_for_status()
        running.tokens.seconds = DEADLINE_SECONDS
        load = Load(running.tokens, running.accounts)
        best = max([await load.run(callers, 6.0) for callers in (SATURATING // 2, SATURATING, SATURATING)])
        overloaded = await load.run(TIMES * SATURATING, SECONDS)
        refused, other, done = sorted(load.refused), len(load.other), len(load.done)
        await load.run(SATURATING, RECOVERED_WITHIN_SECONDS)
        after = await load.run(SATURATING, 6.0)
        half, most = (refused[len(refused) * share // 100] for share in (50, 95))
        print(
            f"\ngoodput {best:.0f}/s at best, {overloaded:.0f}/s overloaded ({overloaded / best:.0%}), {after:.0f}/s after;"
            f" {len(refused)} refused, half within {half:.2f} s, 95 % within {most:.2f} s; {other} failed otherwise"
        )
        assert overloaded >= 0.8 * best
        assert half <= REFUSED_WITHIN_SECONDS
        assert other <= 0.05 * done
        assert after >= 0.8 * best
        assert not load.other
