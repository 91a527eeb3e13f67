"""The retry policy: whether a call is sent again, and the wait before."""

import pytest
from sellergate_gateway.calls.outcomes import Failure
from sellergate_gateway.calls.retries import (
    FIRST_BACKOFF,
    LARGEST_BACKOFF,
    MAX_ATTEMPTS,
    Attempt,
    pause_before_retry,
)

NOT_DONE, UNKNOWN, FINAL = Failure.NOT_DONE, Failure.UNKNOWN, Failure.FINAL


@pytest.mark.parametrize(
    ("failure", "idempotent", "number", "left", "retry_after", "pause"),
    [
        # A call that Amazon did not execute is sent again, a write too.
        (NOT_DONE, True, 1, 30, None, FIRST_BACKOFF / 2),
        (NOT_DONE, False, 1, 30, None, FIRST_BACKOFF / 2),
        # A call that it may have executed: only if a repeat does no harm.
        (UNKNOWN, True, 1, 30, None, FIRST_BACKOFF / 2),
        (UNKNOWN, False, 1, 30, None, None),
        (UNKNOWN, False, 1, 30, 0.0, None),
        (FINAL, True, 1, 30, None, None),
        (FINAL, True, 1, 30, 1.0, None),
        # The backoff doubles, up to a bound.
        (NOT_DONE, True, 2, 30, None, FIRST_BACKOFF),
        (NOT_DONE, True, 3, 30, None, FIRST_BACKOFF * 2),
        # A call has at most four attempts.
        (NOT_DONE, True, MAX_ATTEMPTS, 30, None, None),
        (UNKNOWN, True, MAX_ATTEMPTS, 30, None, None),
        # Amazon's Retry-After takes precedence over the backoff, for any jitter.
        (NOT_DONE, False, 1, 30, 7.0, 7.0),
        (NOT_DONE, False, 3, 30, 0.0, 0.0),
        # The wait never ends after the deadline.
        (NOT_DONE, True, 1, 7.0, 7.0, None),
        (NOT_DONE, True, 1, FIRST_BACKOFF / 2, None, None),
        (NOT_DONE, True, 1, 0, 0.0, None),
        (NOT_DONE, True, 1, -1, None, None),
    ],
)
def test_the_pause_before_a_retry(
    failure: Failure, idempotent: bool, number: int, left: float, retry_after: float | None, pause: float | None
) -> None:
    attempt = Attempt(number, failure, idempotent, left, retry_after)
    assert pause_before_retry(attempt, lambda: 0.5) == (None if pause is None else pytest.approx(pause))


def test_the_jitter_is_full() -> None:
    attempt = Attempt(1, NOT_DONE, True, 30)
    assert pause_before_retry(attempt, lambda: 0.0) == 0.0
    longest = pause_before_retry(attempt, lambda: 0.999)
    assert longest is not None
    assert FIRST_BACKOFF * 0.99 < longest < FIRST_BACKOFF <= LARGEST_BACKOFF
