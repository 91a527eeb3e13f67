"""The retry policy: the wait before a retry, and the retry budgets of accounts and of this process."""

from collections.abc import Callable
from dataclasses import dataclass

from sellergate_common.cache.lru import Lru

from sellergate_gateway.calls.outcomes import Failure

MAX_ATTEMPTS = 4
FIRST_BACKOFF = 0.2
LARGEST_BACKOFF = 8.0
# Each call earns a share of a retry, so that in an outage Amazon gets only few more requests than callers make.
ACCOUNT_RETRIES, ACCOUNT_SHARE = 20.0, 0.2
PROCESS_RETRIES, PROCESS_SHARE = 500.0, 0.1
_MAX_ACCOUNTS = 20_000


@dataclass(frozen=True, slots=True)
class Attempt:
    """A failed attempt. `number` counts from 1; `left` is the seconds until the caller's deadline."""

    number: int
    failure: Failure
    idempotent: bool
    left: float
    retry_after: float | None = None


def pause_before_retry(attempt: Attempt, jitter: Callable[[], float]) -> float | None:
    """Return the seconds to wait before the next attempt, or None if there is none.

    The wait is Amazon's Retry-After if there is one, else exponential with full jitter; `jitter` returns a random number in [0,
    1). It never ends after the caller's deadline.
    """
    if attempt.failure is Failure.FINAL or (attempt.failure is Failure.UNKNOWN and not attempt.idempotent):
        return None
    if attempt.number >= MAX_ATTEMPTS:
        return None
    backoff = min(LARGEST_BACKOFF, FIRST_BACKOFF * 2 ** (attempt.number - 1))
    pause = attempt.retry_after if attempt.retry_after is not None else backoff * jitter()
    return pause if pause < attempt.left else None


class RetryBudgets:
    """The remaining retries of each account and of this process."""

    def __init__(self) -> None:
        self._process = PROCESS_RETRIES
        self._accounts: Lru[str, float] = Lru(_MAX_ACCOUNTS)

    def record_call(self, account_id: str) -> None:
        """Count a call, which earns a share of a retry, up to a bound."""
        self._process = min(PROCESS_RETRIES, self._process + PROCESS_SHARE)
        left = self._accounts.peek(account_id)
        # Only accounts that have spent a retry are kept.
        if left is not None:
            if left + ACCOUNT_SHARE >= ACCOUNT_RETRIES:
                self._accounts.drop(account_id)
            else:
                self._accounts.put(account_id, left + ACCOUNT_SHARE)

    def spend(self, account_id: str) -> bool:
        """Spend one retry. Return False if none is left."""
        left = self._accounts.peek(account_id)
        left = ACCOUNT_RETRIES if left is None else left
        if left < 1 or self._process < 1:
            return False
        self._process -= 1
        self._accounts.put(account_id, left - 1)
        return True
