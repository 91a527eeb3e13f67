"""The limit of concurrent work: low while the loop has no time to accept calls, and high while work only waits."""

import asyncio

import pytest
from sellergate_common.rpc.concurrency import Concurrency

from tests.fakes.virtual_time import run_in_virtual_time

FEWEST, MOST = 4, 32


def after(count: int, gap: float, iteration: float, limit: Concurrency | None = None) -> Concurrency:
    """Return a limit after a number of calls, one every `gap` seconds, on a loop with iterations of a given length."""

    async def main() -> Concurrency:
        loop = asyncio.get_running_loop()
        concurrency = limit or Concurrency(FEWEST, MOST, loop.time)
        concurrency._now = loop.time
        for _ in range(count):
            await asyncio.sleep(gap)
            concurrency.record_arrival()
            await asyncio.sleep(0)  # the probe, which takes no virtual time
            concurrency.record_iteration(iteration)
        return concurrency

    return run_in_virtual_time(main())


def test_the_first_limit_is_the_fewest() -> None:
    assert after(0, 0.0, 0.0).limit == FEWEST


@pytest.mark.parametrize(("gap", "iteration"), [(0.01, 0.0003), (0.1, 0.003), (60.0, 0.001)])
def test_more_runs_at_once_while_work_only_waits(gap: float, iteration: float) -> None:
    assert after(200, gap, iteration).limit == MOST


@pytest.mark.parametrize(("gap", "iteration"), [(0.003, 0.002), (0.0005, 0.0004), (0.04, 0.03)])
def test_less_runs_at_once_while_iterations_are_long(gap: float, iteration: float) -> None:
    much = after(200, 0.1, 0.0001)
    assert much.limit == MOST
    assert after(200, gap, iteration, much).limit == FEWEST


def test_a_fixed_limit_does_not_change() -> None:
    fixed = Concurrency(8, 8, lambda: 0.0)
    for _ in range(100):
        fixed.record_arrival()
        fixed.record_iteration(1.0)
    assert fixed.limit == 8


def test_an_iteration_is_measured_for_each_call() -> None:
    times = iter([0.0, 1.0, 1.5, 2.0])

    async def main() -> float:
        concurrency = Concurrency(FEWEST, MOST, lambda: next(times))
        concurrency.record_arrival()
        await asyncio.sleep(0)
        return concurrency._iteration

    assert asyncio.run(main()) == pytest.approx(0.05 * 0.5)
