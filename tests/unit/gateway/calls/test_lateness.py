"""The lateness of a loop: that of the latest callback, which decays while the loop is on time."""

import asyncio

import pytest
from sellergate_common.clock import Clock
from sellergate_gateway.calls.lateness import PERIOD_SECONDS, Lateness


async def test_lateness_is_measured_at_once_and_decays() -> None:
    now, late, seen = 0.0, iter([0.0, 0.4, *[0.0] * 60]), list[float]()

    async def sleep(seconds: float) -> None:
        nonlocal now
        seen.append(lateness.seconds)
        more = next(late, None)
        if more is None:
            raise asyncio.CancelledError
        now += seconds + more

    lateness = Lateness(Clock(monotonic=lambda: now, sleep=sleep))
    with pytest.raises(asyncio.CancelledError):
        await lateness.measure()
    assert seen[:2] == [0.0, pytest.approx(0.0)]
    assert seen[2] == pytest.approx(0.4)
    after_a_second = seen[2 + round(1.0 / PERIOD_SECONDS)]
    assert 0.1 < after_a_second < 0.3
    assert seen[-1] < 0.01
