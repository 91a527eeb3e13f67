"""Repeated requests for one revoked account of an application, and their effect on its other accounts."""

import asyncio
import statistics
import time
from pathlib import Path

import pytest
from sellergate_common.errors import Reason, SellergateError

from tests.system.token_fleet import Fleet, fleet

OTHERS, PAIRS, WINDOW_SECONDS = 8, 15, 2.0
CALL_INTERVAL_SECONDS = 0.1
MOST_ADDED = 1.2


@pytest.mark.timeout(300)
@pytest.mark.parametrize("cold", [True, False], ids=["exchanges", "warm"])
async def test_the_others_see_no_error_and_no_delay(tmp_path: Path, cold: bool) -> None:
    async with fleet(tmp_path) as running:
        others = await running.add(OTHERS)
        bad = await _bad_account(running)
        ratios, refused = list[float](), list[Reason]()
        await _window(running, others, cold)
        for number in range(PAIRS):
            both: dict[bool, float] = {}
            for with_bad in (number % 2 == 0, number % 2 == 1):  # the order alternates
                asking = asyncio.create_task(_call_bad_account(running, bad, refused)) if with_bad else None
                both[with_bad] = await _window(running, others, cold)
                if asking is not None:
                    asking.cancel()
                    await asyncio.wait({asking})
            ratios.append(both[True] / both[False])
        ratio = statistics.median(ratios)
        print(
            f"\np99 of the others with the bad account {ratio:.2f} times the one without, {min(ratios):.2f} to {max(ratios):.2f}"
        )
        assert len(refused) >= 0.5 * PAIRS * WINDOW_SECONDS / CALL_INTERVAL_SECONDS
        assert set(refused) <= {Reason.AUTHORIZATION_REVOKED, Reason.AUTHORIZATION_MISMATCH}
        assert ratio <= MOST_ADDED


async def _bad_account(running: Fleet) -> str:
    """Connect a seller that withdraws consent."""
    (bad,) = await running.add(1)
    refresh_token = running.sellers[-1]["refresh_tokens"][0]["refresh_token"]
    revoked = {"refresh_token": refresh_token}
    (await running.control.post("/control/secrets/revoke-grant", json=revoked)).raise_for_status()
    return bad


async def _window(running: Fleet, others: list[str], cold: bool) -> float:
    """Request the others' tokens for a time; return the 99th percentile in seconds. Raises what any call raises."""
    took, end = list[float](), time.perf_counter() + WINDOW_SECONDS

    async def caller(account: str) -> None:
        while (began := time.perf_counter()) < end:
            await running.tokens.get(account)
            took.append(time.perf_counter() - began)
            if cold:
                await running.tokens.clear(account)

    await asyncio.gather(*(caller(account) for account in others))
    return statistics.quantiles(took, n=100)[98]


async def _call_bad_account(running: Fleet, account: str, refused: list[Reason]) -> None:
    """Request the bad account's token ten times a second."""
    while True:
        try:
            await running.tokens.get(account)
        except SellergateError as error:
            refused.append(error.reason)
        await asyncio.sleep(CALL_INTERVAL_SECONDS)
