"""Admission under overload, in virtual time: order, early refusal, goodput and recovery."""

import asyncio
import random
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any

import pytest
from sellergate_common.errors import OutOfTime, Overloaded, Reason
from sellergate_common.rpc.admission import REFUSED_WITHIN_SECONDS, Admission
from sellergate_common.rpc.refusals import LONGEST_RETRY_SECONDS

from tests.fakes.virtual_time import run_in_virtual_time

LIMIT, SECONDS = 4, 0.1
# The pieces of work that the service finishes in a second at best.
CAPACITY = LIMIT / SECONDS


def now() -> float:
    return asyncio.get_running_loop().time()


def until(deadline: float) -> Callable[[], float]:
    return lambda: deadline - now()


async def work(admission: Admission, left: float, seconds: float = SECONDS) -> float:
    """Do a piece of work; return the time at which it began."""
    async with admission.admit(until(now() + left)):
        began = now()
        await asyncio.sleep(seconds)
        return began


async def measured(then: Admission | None = None, age: float = 0.0) -> Admission:
    """Return an admission that has measured the time of the work."""
    admission = Admission(LIMIT, now, lambda: 0.5, age=lambda: age, then=then)
    for _ in range(100):
        await work(admission, 60)
    return admission


def run(main: Coroutine[Any, Any, None]) -> None:
    run_in_virtual_time(main)


def test_the_limit_runs_at_once_and_the_rest_in_order_of_arrival() -> None:
    async def main() -> None:
        admission, start = await measured(), now()
        began = await asyncio.gather(*(work(admission, 60) for _ in range(3 * LIMIT)))
        assert [round(one - start, 3) for one in began] == [0.0] * LIMIT + [0.1] * LIMIT + [0.2] * LIMIT
        assert (admission.running, admission.waiting, admission.refused) == (0, 0, 0)

    run(main())


def test_work_that_cannot_end_in_time_is_refused_at_once_with_a_retry_time() -> None:
    async def main() -> None:
        admission, start = await measured(), now()
        outcomes = await asyncio.gather(*(work(admission, 1.0) for _ in range(100)), return_exceptions=True)
        refused = [one for one in outcomes if isinstance(one, Overloaded)]
        done = [one for one in outcomes if isinstance(one, float)]
        assert len(done) + len(refused) == 100
        assert len(done) >= 0.7 * CAPACITY  # a fifth is the margin
        assert max(done) + SECONDS - start <= 1.0
        assert {one.reason for one in refused} == {Reason.OVERLOADED}
        assert all(one.retry_after is not None and 0.1 <= one.retry_after <= LONGEST_RETRY_SECONDS for one in refused)

    run(main())


def test_work_with_too_little_time_is_refused_unless_the_service_is_idle() -> None:
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
def test_cancelled_callers_free_their_places(turns: int) -> None:
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


def test_ten_times_the_callers_keep_the_goodput_near_its_best() -> None:
    async def main() -> None:
        admission, draw = Admission(LIMIT, now, random.Random(3).random), random.Random(4)
        done: list[float] = []

        async def caller(end: float) -> None:
            """Call again and again, with a deadline of a second, until the test ends it."""
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


def test_admitted_work_is_not_refused_later() -> None:
    async def main() -> None:
        admission = await measured()
        running = [asyncio.create_task(work(admission, 60, 0.95)) for _ in range(LIMIT)]
        await asyncio.sleep(0)
        late = [asyncio.create_task(work(admission, 1.0)) for _ in range(3)]
        patient = asyncio.create_task(work(admission, 60))
        await asyncio.gather(*running)
        assert [type(one) for one in await asyncio.gather(*late, return_exceptions=True)] == [OutOfTime] * 3
        await patient
        assert (admission.refused, admission.expired, admission.waiting, admission.running) == (0, 3, 0, 0)

    run(main())


@pytest.mark.parametrize("age", [0.0, 0.05, 3.0])
def test_a_refused_call_may_be_served_from_a_cache_for_a_moment(age: float) -> None:
    async def main() -> None:
        admission = await measured(age=age)
        busy = [asyncio.create_task(work(admission, 60)) for _ in range(100)]
        await asyncio.sleep(0)
        async with admission.issue_ticket(until(now() + 1.0)) as refused:
            assert refused.grace == pytest.approx(max(0.0, REFUSED_WITHIN_SECONDS - age))
            assert admission.refused == 0  # the cache may hold the value
        async with admission.issue_ticket(until(now() + 60.0)) as admitted:
            assert admitted.grace is None
        with pytest.raises(Overloaded):
            await work(admission, 1.0)
        await asyncio.gather(*busy)
        assert (admission.running, admission.waiting, admission.refused, admission.refusals.seconds) == (0, 0, 1, age)

    run(main())


def test_an_unneeded_place_goes_to_the_next_waiter() -> None:
    async def main() -> None:
        admission, start = await measured(), now()
        async with AsyncExitStack() as stack:
            for _ in range(LIMIT + 3):  # running, and in the queue
                await stack.enter_async_context(admission.issue_ticket(until(60)))
            last = asyncio.create_task(work(admission, 60))
            await asyncio.sleep(0.05)
            assert (admission.running, admission.waiting) == (LIMIT, 4)
        assert round(await last - start, 3) == 0.05
        assert (admission.running, admission.waiting) == (0, 0)
        assert admission.mean == pytest.approx(SECONDS, rel=0.01)  # work that did not run is not measured

    run(main())


def test_work_without_a_waiting_caller_is_skipped() -> None:
    async def main() -> None:
        admission, start = await measured(), now()
        busy = [asyncio.create_task(work(admission, 60)) for _ in range(LIMIT)]
        await asyncio.sleep(0)
        left = 60.0

        async def shared() -> None:
            async with admission.admit(lambda: left):
                await asyncio.sleep(SECONDS)

        given_up = [asyncio.create_task(shared()) for _ in range(100)]
        await asyncio.sleep(0)
        last = asyncio.create_task(work(admission, 60))
        await asyncio.sleep(0)
        left = 0.0
        assert round(await last - start, 3) == SECONDS
        assert {type(one) for one in await asyncio.gather(*given_up, return_exceptions=True)} == {Overloaded}
        assert (admission.refused, admission.expired) == (0, 100)
        await asyncio.gather(*busy)

    run(main())


def test_work_is_refused_where_following_work_cannot_end_in_time() -> None:
    async def main() -> None:
        following = await measured()
        looks = await measured(then=following)
        taken = [asyncio.create_task(work(following, 60)) for _ in range(100)]
        await asyncio.sleep(0)
        start = now()
        for _ in range(10):
            with pytest.raises(Overloaded):
                await work(looks, 1.0)
        assert now() == start
        patient = asyncio.create_task(work(looks, 60))
        await asyncio.gather(*taken, patient)
        assert (looks.refused, following.refused) == (10, 0)
        await work(looks, SECONDS / 2)  # both are idle, so that the time is measured again

    run(main())


def test_pieces_that_will_reach_the_following_work_count_as_its_queue() -> None:
    async def main() -> None:
        following = await measured()
        looks = await measured(then=following)

        async def both(left: float) -> None:
            end = now() + left
            async with looks.admit(until(end)):
                await asyncio.sleep(SECONDS / 10)
            await work(following, end - now())

        outcomes = await asyncio.gather(*(both(1.0) for _ in range(200)), return_exceptions=True)
        assert looks.refused >= 150
        assert following.refused + following.expired == 0
        assert outcomes.count(None) >= 0.6 * CAPACITY

    run(main())


@pytest.mark.parametrize("deadline", [0.5, 1.0, 5.0])
def test_refusals_leave_the_processor_to_the_work(deadline: float) -> None:
    async def main() -> None:
        admission, processor = Admission(LIMIT, now, random.Random(3).random), asyncio.Lock()
        seconds, done = 0.01, 0

        async def busy(share: float) -> None:
            async with processor:
                await asyncio.sleep(share * seconds)

        async def caller(end: float) -> None:
            nonlocal done
            while now() < end:
                arrived = now()
                await busy(0.3)  # the cost of each call, admitted or not
                try:
                    async with admission.admit(until(arrived + deadline)):
                        await busy(0.7)
                except (Overloaded, OutOfTime) as error:
                    await asyncio.sleep(error.retry_after or 0.0)
                else:
                    done += now() - arrived <= deadline

        async def goodput(callers: int, length: float = 10.0) -> float:
            before = done
            await asyncio.gather(*(caller(now() + length) for _ in range(callers)))
            return (done - before) / length

        best = await goodput(2 * LIMIT)
        assert best > 0.9 / seconds
        assert await goodput(20 * LIMIT) >= 0.8 * best
        assert await goodput(2 * LIMIT, 5.0) >= 0.8 * best  # recovered

    run(main())


def test_failed_work_frees_its_place() -> None:
    async def main() -> None:
        admission = Admission(1, now, lambda: 0.0, longest_queue=1)

        async def failing() -> None:
            async with admission.admit(until(60)):
                await asyncio.sleep(SECONDS)
                raise ValueError

        outcomes = await asyncio.gather(*(failing() for _ in range(3)), return_exceptions=True)
        assert [type(one) for one in outcomes] == [ValueError, ValueError, Overloaded]
        assert (admission.running, admission.waiting) == (0, 0)

    run(main())
