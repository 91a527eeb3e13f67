"""Admission under overload, in virtual time: order, early refusal, goodput and recovery."""

import asyncio
import random
from collections.abc import Coroutine
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from sellergate_common.errors import Overloaded, Reason
from sellergate_common.rpc.admission import Admission, AdmissionMetrics

from tests.fakes.virtual_time import run_in_virtual_time

LIMIT, SECONDS = 4, 0.1
# What the service finishes in a second, if it does nothing else.
CAPACITY = LIMIT / SECONDS


def now() -> float:
    return asyncio.get_running_loop().time()


async def work(admission: Admission, left: float, seconds: float = SECONDS) -> float:
    """Do a piece of work; return when it began."""
    async with admission.admitted(left):
        began = now()
        await asyncio.sleep(seconds)
        return began


async def measured() -> Admission:
    """Return an admission that has measured how long the work takes."""
    admission = Admission(LIMIT, now, lambda: 0.5)
    for _ in range(100):
        await work(admission, 60)
    return admission


def run(main: Coroutine[Any, Any, None]) -> None:
    run_in_virtual_time(main)


def test_so_many_run_at_once_and_the_rest_in_order_of_arrival() -> None:
    async def main() -> None:
        admission, start = await measured(), now()
        began = await asyncio.gather(*(work(admission, 60) for _ in range(3 * LIMIT)))
        assert [round(one - start, 3) for one in began] == [0.0] * LIMIT + [0.1] * LIMIT + [0.2] * LIMIT
        assert (admission.running, admission.waiting, admission.refused) == (0, 0, 0)

    run(main())


def test_what_cannot_be_done_in_time_is_refused_at_once_with_a_time_to_return() -> None:
    async def main() -> None:
        admission, start = await measured(), now()
        outcomes = await asyncio.gather(*(work(admission, 1.0) for _ in range(100)), return_exceptions=True)
        refused = [one for one in outcomes if isinstance(one, Overloaded)]
        done = [one for one in outcomes if isinstance(one, float)]
        assert len(done) + len(refused) == 100
        assert len(done) >= 0.7 * CAPACITY  # a fifth is to spare
        assert max(done) + SECONDS - start <= 1.0
        assert {one.reason for one in refused} == {Reason.OVERLOADED}
        assert all(one.retry_after is not None and 0.1 <= one.retry_after <= 1.0 for one in refused)

    run(main())


def test_work_that_comes_too_late_is_refused_unless_the_service_rests() -> None:
    async def main() -> None:
        admission = await measured()
        await work(admission, SECONDS / 2)
        busy = asyncio.create_task(work(admission, 60))
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await work(admission, SECONDS / 2)
        await busy

    run(main())


def test_a_refusal_takes_no_time() -> None:
    async def main() -> None:
        admission = await measured()
        running = [asyncio.create_task(work(admission, 60)) for _ in range(100)]
        await asyncio.sleep(0)
        start = now()
        with pytest.raises(Overloaded):
            await work(admission, 1.0)
        assert now() == start
        await asyncio.gather(*running)

    run(main())


def test_a_wait_that_became_too_long_ends_without_the_work() -> None:
    async def main() -> None:
        admission = await measured()
        slow = [asyncio.create_task(work(admission, 60, 5.0)) for _ in range(LIMIT)]
        waiting = [asyncio.create_task(work(admission, 1.0)) for _ in range(LIMIT)]
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        assert {type(one) for one in outcomes} == {Overloaded}
        await asyncio.gather(*slow)
        assert (admission.running, admission.waiting) == (0, 0)

    run(main())


@pytest.mark.parametrize("turns", range(4))
def test_callers_that_leave_take_no_place_with_them(turns: int) -> None:
    async def main() -> None:
        admission, start = await measured(), now()
        tasks = [asyncio.create_task(work(admission, 60)) for _ in range(100 * LIMIT)]
        await asyncio.sleep(SECONDS)
        for _ in range(turns):
            await asyncio.sleep(0)
        for task in tasks[LIMIT:-1]:
            task.cancel()
        assert round(await tasks[-1] - start, 3) <= 2 * SECONDS
        await asyncio.wait(tasks)
        assert (admission.running, admission.waiting) == (0, 0)

    run(main())


def test_ten_times_the_callers_leave_the_goodput_near_its_best() -> None:
    async def main() -> None:
        admission, draw = Admission(LIMIT, now, random.Random(3).random), random.Random(4)
        done: list[float] = []

        async def caller(end: float) -> None:
            """Call again and again, with a deadline of a second, and return when told to."""
            while now() < end:
                try:
                    await work(admission, 1.0, SECONDS * draw.uniform(0.5, 1.5))
                except Overloaded as error:
                    await asyncio.sleep(error.retry_after or 0.0)
                else:
                    done.append(now())

        async def goodput(callers: int, seconds: float = 30.0) -> float:
            before = len(done)
            await asyncio.gather(*(caller(now() + seconds) for _ in range(callers)))
            return (len(done) - before) / seconds

        best = await goodput(2 * LIMIT)
        assert best > 0.9 * CAPACITY
        assert await goodput(20 * LIMIT) >= 0.8 * best
        refused = admission.refused
        assert await goodput(LIMIT) >= 0.8 * best  # recovered
        assert admission.refused == refused

    run(main())


def test_work_that_fails_gives_its_place_back_and_the_metrics_show_it() -> None:
    async def main() -> None:
        admission, registry = Admission(1, now, lambda: 0.0, longest_queue=1), CollectorRegistry()
        AdmissionMetrics.register(registry, calls=admission)

        async def failing() -> None:
            async with admission.admitted(60):
                await asyncio.sleep(SECONDS)
                raise ValueError

        outcomes = asyncio.gather(*(failing() for _ in range(3)), return_exceptions=True)
        await asyncio.sleep(0)
        assert registry.get_sample_value("sellergate_admission", {"work": "calls", "state": "running"}) == 1
        assert registry.get_sample_value("sellergate_admission", {"work": "calls", "state": "waiting"}) == 1
        assert [type(one) for one in await outcomes] == [ValueError, ValueError, Overloaded]
        assert registry.get_sample_value("sellergate_admission_refused_total", {"work": "calls"}) == 1
        assert (admission.running, admission.waiting) == (0, 0)

    run(main())
