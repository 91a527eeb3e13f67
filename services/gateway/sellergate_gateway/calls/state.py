"""The state of one call (the request, Amazon's responses, the result), and the dependencies of all calls."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from pydantic import SecretStr
from sellergate_amazon.operations import Catalogue, Operation
from sellergate_common.errors import AmazonRefused, OutOfTime, QuotaExceeded, Reason, SellergateError
from sellergate_common.sites import Site, Sites

from sellergate_gateway.calls.breakers import Breakers
from sellergate_gateway.calls.counts import CallCounts, OperationCounts
from sellergate_gateway.calls.outcomes import OUTCOMES, Gap, Seen
from sellergate_gateway.calls.retries import RetryBudgets
from sellergate_gateway.calls.sending import AttemptResult, Reader
from sellergate_gateway.credentials.ports import Credentials
from sellergate_gateway.credentials.selection import SELLER, TokenSpec
from sellergate_gateway.model import AccessToken, Account, Accounts, AwsCredentials
from sellergate_gateway.quota.buckets import Buckets
from sellergate_gateway.quota.ports import BucketSet, Limiter
from sellergate_gateway.spapi import errors
from sellergate_gateway.spapi.http import Amazon, AmazonResponse, Signer
from sellergate_gateway.spapi.request import SpApiCall, Target
from sellergate_gateway.spapi.response import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependencies:
    """The dependencies of calls, by keyword only.

    `left` returns the seconds until the caller's deadline, `jitter` a random number in [0, 1), `lateness` the seconds by which
    the event loop is late.
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


@dataclass(slots=True)
class CallResult:
    """The result of a call with a response of Amazon.

    `waited`: the seconds of the wait for quota; `revision` and `marketplace`: the account's; `retry_after`: the seconds until the
    next call within quota, for a 429 of Amazon that names none.
    """

    response: AmazonResponse
    operation: Operation | None
    attempts: int
    waited: float
    revision: int
    retry_after: float | None = None
    marketplace: str = ""


_NOTHING = AttemptResult(Gap.NOT_SENT, why="no attempt was made")


@dataclass(slots=True)
class CallState:
    """A call in progress. It holds only plain values.

    An exception in it would hold its traceback, whose frames hold this state: a cycle that keeps Amazon's response in memory.
    """

    call: SpApiCall
    user: str
    target: Target
    account: Account
    checked_at: float
    """Seconds until the caller's deadline when the account was read."""
    site: Site
    buckets: BucketSet
    reader: Reader | None
    counts: OperationCounts
    rate: float
    """The rate of the first bucket in calls per second, as far as it is known."""
    token_spec: TokenSpec = field(default=SELLER)
    token: AccessToken | None = None
    credentials: AwsCredentials | None = None
    """The credentials of the latest attempt; None where it was not signed."""
    attempts: int = 0
    waited: float = 0.0
    refused: SecretStr | None = None
    """The token or the access key ID that Amazon refused last, and that was to be replaced."""
    repairs: int = 0
    replacing: bool = False
    """Whether Amazon refused the token or the session of the latest attempt, and no other has arrived yet."""
    latest: AttemptResult | None = None
    last: AttemptResult | None = None
    """The latest outcome of Amazon: the end of the call, unless another attempt replaces it."""
    uncertain: bool = False
    """Whether Amazon may have executed an earlier attempt; then no later error may report that it was not executed."""

    @property
    def name(self) -> str:
        """The operation's name; empty for a path that the catalogue lacks."""
        return self.target.operation.name if self.target.operation else ""

    def is_decided_in_spite_of(self, error: SellergateError) -> bool:
        """Return whether the latest outcome is the result, though `error` prevented another attempt."""
        # In AS_IS mode Amazon's refusal of the call takes precedence over its refusal of a token for the call.
        refused = self.call.as_is and isinstance(error, AmazonRefused)
        # While refused credentials cannot be replaced in time, the result is that, and not Amazon's refusal of the old ones.
        spent = isinstance(error, QuotaExceeded) or (isinstance(error, OutOfTime) and not self.replacing)
        return self.last is not None and (self.uncertain or refused or spent)

    def reason(self, seen: Seen) -> Reason | None:
        """Return the reason of the typed error by the table of outcomes; None for a success."""
        return OUTCOMES[seen].reason(idempotent=self.target.idempotent)

    def finish(self, end: AttemptResult | None) -> CallResult:
        """Return the result of a call that ends with this attempt. Raises the typed error of a call that failed."""
        end = end or _NOTHING
        if end.response is None or end.seen is Gap.TOO_LARGE or not (self.call.as_is or end.seen is Kind.SUCCESS):
            raise self._error(end)
        result = CallResult(end.response, self.target.operation, self.attempts, self.waited, self.account.revision)
        result.marketplace = self.account.marketplace
        if end.seen is Kind.THROTTLED and not end.response.header("retry-after"):
            result.retry_after = 1 / self.rate
        return result

    def _error(self, end: AttemptResult) -> SellergateError:
        reason = self.reason(end.seen) or Reason.INTERNAL
        if end.response is None:
            return errors.of_missing_response(end.why, reason, self.name, sent=end.seen is not Gap.NOT_SENT)
        if end.seen is Gap.TOO_LARGE:
            return errors.of_large_response(end.response, self.name)
        return errors.of_refusal(
            end.response,
            end.classification,
            reason,
            self.name,
            interval=1 / self.rate,
            personal=bool(self.token_spec.resources),
        )
