"""The dependencies of calls."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from sellergate_amazon.operations import Catalogue
from sellergate_common.sites import Sites

from sellergate_gateway.calls.breakers import Breakers
from sellergate_gateway.calls.counts import CallCounts
from sellergate_gateway.calls.retries import RetryBudgets
from sellergate_gateway.credentials.ports import Credentials
from sellergate_gateway.model import Accounts
from sellergate_gateway.quota.buckets import Buckets
from sellergate_gateway.quota.ports import Limiter
from sellergate_gateway.spapi.http import (
    Amazon,
    Signer,
)


@dataclass(frozen=True, slots=True)
class Ports:
    """The dependencies of calls.

    `left` returns the seconds until the caller's deadline, `jitter` a random number in [0, 1), `lateness` the seconds by which the
    event loop is late.
    """

    catalogue: Catalogue
    sites: Sites
    buckets: Buckets
    accounts: Accounts
    credentials: Credentials
    signer: Signer
    quota: Limiter
    amazon: Amazon
    breakers: Breakers
    left: Callable[[], float]
    jitter: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    lateness: Callable[[], float] = lambda: 0.0
    budgets: RetryBudgets = field(default_factory=RetryBudgets)
    counts: CallCounts = field(default_factory=CallCounts)
