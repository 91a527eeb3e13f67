"""Retry times of refused callers: soon, spread over time, and few enough that refusals do not fill the capacity."""

from itertools import pairwise

import pytest
from sellergate_common.rpc.refusals import LONGEST_RETRY_SECONDS, SHORTEST_RETRY_SECONDS, Refusals, RetryTimes


def test_a_single_caller_retries_before_the_queue_is_empty() -> None:
    assert RetryTimes(lambda: 0.0).next(100.0, 2.0, 0.01) == 1.0
    assert RetryTimes(lambda: 0.5).next(100.0, 2.0, 0.01) == 1.5
    assert RetryTimes(lambda: 0.0).next(100.0, 0.0, 0.01) == SHORTEST_RETRY_SECONDS


def test_many_callers_retry_one_after_the_other_and_more_slowly_than_work_finishes() -> None:
    returns, interval = RetryTimes(lambda: 0.5), 0.01
    given = [returns.next(100.0, 0.2, interval) for _ in range(60)]
    late = [one for one in given if one > 0.2]
    assert [round(b - a, 6) for a, b in pairwise(late)] == [4 * interval] * (len(late) - 1)
    assert len(late) > 50


@pytest.mark.parametrize("wait", [0.0, 1.0, 100.0])
def test_the_last_caller_retries_soon(wait: float) -> None:
    returns = RetryTimes(lambda: 0.99)
    given = [returns.next(100.0, wait, 0.05) for _ in range(1_000)]
    assert max(given) <= LONGEST_RETRY_SECONDS
    assert min(given) >= SHORTEST_RETRY_SECONDS
    assert returns.next(200.0, 0.5, 0.05) == pytest.approx(0.4975)  # assigned times are forgotten


def test_refusals_are_counted_by_the_time_that_their_callers_waited() -> None:
    refusals = Refusals()
    for seconds in (0.0, 0.25, 0.2, 10.0):
        refusals.add(seconds)
    assert (refusals.count, refusals.within, refusals.seconds) == (4, [1, 0, 0, 0, 2, 0, 0, 1], 10.45)
