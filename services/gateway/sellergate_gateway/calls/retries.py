"""Decides whether a call is sent again: what Amazon says it did not do, what never left, and what is safe to repeat."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from sellergate_common.cache.lru import Lru

from sellergate_gateway.spapi.response import Kind

MAX_ATTEMPTS = 4
FIRST_BACKOFF = 0.2
LARGEST_BACKOFF = 8.0
# Each call earns a share of a retry: when much fails, most calls are sent once, and Amazon gets little more than is asked of us.
ACCOUNT_RETRIES, ACCOUNT_SHARE = 20.0, 0.2
PROCESS_RETRIES, PROCESS_SHARE = 500.0, 0.1
_MAX_ACCOUNTS = 20_000


class Failure(StrEnum):
    """What a failed attempt tells of Amazon's doing."""

    NOT_DONE = "NOT_DONE"
    """Nothing was sent, or Amazon says that it did nothing."""
    UNKNOWN = "UNKNOWN"
    """Amazon may have done it."""
    FINAL = "FINAL"
    """Amazon refused; again would be the same."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A failed attempt. `number` counts from 1; `left` are the seconds that the caller still has."""

    number: int
    failure: Failure
    idempotent: bool
    left: float
    retry_after: float | None = None


def failure_of(kind: Kind) -> Failure:
    """Return what a response tells of Amazon's doing."""
    if kind in (Kind.THROTTLED, Kind.UNAVAILABLE):
        return Failure.NOT_DONE
    return Failure.UNKNOWN if kind is Kind.SERVER_ERROR else Failure.FINAL


def pause_before_retry(attempt: Attempt, jitter: Callable[[], float]) -> float | None:
    """Return the seconds to wait before the next attempt, or None when there is none.

    The wait is Amazon's own word where it gave one, else exponential with full jitter; `jitter` returns [0, 1). It never ends
    after the caller's deadline.
    """
    if attempt.failure is Failure.FINAL or (attempt.failure is Failure.UNKNOWN and not attempt.idempotent):
        return None
    if attempt.number >= MAX_ATTEMPTS:
        return None
    backoff = min(LARGEST_BACKOFF, FIRST_BACKOFF * 2 ** (attempt.number - 1))
    pause = attempt.retry_after if attempt.retry_after is not None else backoff * jitter()
    return pause if pause < attempt.left else None


class RetryBudgets:
    """How many retries are left, for each account and for the process."""

    def __init__(self) -> None:
        self._process = PROCESS_RETRIES
        self._accounts: Lru[str, float] = Lru(_MAX_ACCOUNTS)

    def record_call(self, account_id: str) -> None:
        """Count a call; what it earns is kept up to a bound."""
        self._process = min(PROCESS_RETRIES, self._process + PROCESS_SHARE)
        left = self._accounts.peek(account_id)
        # Only those who spent something are kept.
        if left is not None:
            if left + ACCOUNT_SHARE >= ACCOUNT_RETRIES:
                self._accounts.drop(account_id)
            else:
                self._accounts.put(account_id, left + ACCOUNT_SHARE)

    def spend(self, account_id: str) -> bool:
        """Take one retry; False when there is none left."""
        left = self._accounts.peek(account_id)
        left = ACCOUNT_RETRIES if left is None else left
        if left < 1 or self._process < 1:
            return False
        self._process -= 1
        self._accounts.put(account_id, left - 1)
        return True
