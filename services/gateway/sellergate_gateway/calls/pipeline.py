"""The pipeline of one call: what, for whom, with which token, within which quota, and how often.

Quota is charged last before each attempt, so that neither a slow LWA nor an account without a working token wastes a slot.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import NoReturn

from sellergate_amazon.operations import Catalogue, Operation
from sellergate_common.context import concerns
from sellergate_common.errors import (
    Conflict,
    NotAllowed,
    NotFound,
    OutOfTime,
    PreconditionFailed,
    QuotaExceeded,
    SellergateError,
)
from sellergate_common.sites import Site, Sites

from sellergate_gateway.calls.breakers import Breakers
from sellergate_gateway.calls.counts import CallCounts, Counted
from sellergate_gateway.calls.follow_ups import FollowUps
from sellergate_gateway.calls.retries import Attempt, Failure, RetryBudgets, failure_of, pause_before_retry
from sellergate_gateway.calls.sending import Reader, send
from sellergate_gateway.calls.unanswered import refused_by_quota, unfinished, unsent
from sellergate_gateway.credentials.ports import Credentials
from sellergate_gateway.credentials.selection import SELLER, Need, SellerTokens
from sellergate_gateway.model import AccessToken, Account, Accounts, AwsCredentials, signs
from sellergate_gateway.quota.buckets import Buckets
from sellergate_gateway.quota.ports import Admission, BucketSet, Limiter
from sellergate_gateway.spapi.http import (
    Amazon,
    AmazonAnswer,
    AmazonRequest,
    FateUnknown,
    NotSent,
    ResponseOversized,
    Signer,
)
from sellergate_gateway.spapi.marketplaces import check_marketplaces
from sellergate_gateway.spapi.request import SpApiCall, Target, resolve
from sellergate_gateway.spapi.response import Kind, Reading, oversized, rate_limit_of, retry_after_of, to_error

# The time that a call keeps for itself after Amazon answered, so that its error still reaches the caller; a busy event loop runs
# everything late, and gets more: this many times as much as it is late, up to a share of what is left.
RESERVE_SECONDS = 0.050
LATENESS_TIMES, LARGEST_SHARE = 3.0, 0.25
LONGEST_ATTEMPT_SECONDS = 60.0
# What was read of an account longer ago than this is read again before anything is sent, from a copy of at most five seconds.
RECHECK_SECONDS = 0.1
_RATE_TOLERANCE = 0.001
_REPAIRABLE = frozenset({Kind.TOKEN_REFUSED, Kind.CREDENTIALS_REFUSED, Kind.DENIED})
# What makes an account another one: whose it is, and what its calls are sent to and counted for.
_IDENTITY = ("user_id", "application_id", "amazon_seller_id", "marketplace", "sandbox")


@dataclass(frozen=True, slots=True)
class Ports:
    """What calls are made of. `left` returns the seconds until the caller's deadline, `jitter` a random number in [0, 1)."""

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
    """Returns how late the event loop runs what is due, in seconds."""
    budgets: RetryBudgets = field(default_factory=RetryBudgets)
    counts: CallCounts = field(default_factory=CallCounts)


@dataclass(slots=True)
class Done:
    """A call that was answered. `waited` are the seconds it waited for quota, `revision` is that of the account it was made for.

    `retry_after`: seconds until the next call within quota, for Amazon's own 429 where Amazon does not name them.
    """

    answer: AmazonAnswer
    operation: Operation | None
    attempts: int
    waited: float
    revision: int
    retry_after: float | None = None


@dataclass(slots=True)
class _Run:
    """One call on its way."""

    call: SpApiCall
    user: str
    target: Target
    account: Account
    checked_at: float
    """Seconds until the caller's deadline when the account was read."""
    site: Site
    buckets: BucketSet
    need: Need = SELLER
    reader: Reader | None = None
    attempts: int = 0
    waited: float = 0.0
    repaired: bool = False
    last: Callable[[], Done] | None = None
    """Ends the call with Amazon's last response, or with what is known of the last attempt; None before one."""
    uncertain: bool = False
    """Amazon may have done it in an earlier attempt: nothing that happens later may report otherwise."""
    rate: float = 0.0
    """Calls a second that the first bucket is believed to have."""
    counted: Counted = field(default_factory=Counted)

    @property
    def name(self) -> str:
        return self.target.operation.name if self.target.operation else ""


class Calls:
    """Calls of SP-API, with the kinds of tokens that `tokens` gives."""

    def __init__(self, ports: Ports, tokens: SellerTokens) -> None:
        self._ports = ports
        self._tokens = tokens
        self._follow_ups = FollowUps(ports.left)

    async def make(self, call: SpApiCall, user: str, reader: Reader | None = None) -> Done:
        """Make a call for `user` (empty: for any). Raises what the contract of GatewayService.Call names.

        A success that `reader` cannot read counts as a response that did not arrive.
        """
        ports, target = self._ports, resolve(call, self._ports.catalogue)
        if target.operation:
            concerns(operation=target.operation.name)
        if target.hands_out_a_token and not self._tokens.fetches_tokens:
            raise NotAllowed(
                "Tokens of Amazon's stay here: operations that need a Restricted Data Token are sent with one; name data_elements"
                " or restricted_resources. Services that SELLERGATE_TOKEN_CALLERS names get one by GetRestrictedDataToken."
            )
        checked_at, account = ports.left(), await self._permitted(call, target, user)
        site = ports.sites.of(account.marketplace, sandbox=account.sandbox if call.sandbox is None else call.sandbox)
        check_marketplaces(target.query, site, "query" if call.raw_query is None else "raw_query")
        grantless = bool(target.grantless_scope)
        path = f"{target.method} {target.path}"
        buckets = ports.buckets.of(account, site, target.operation, path, background=call.batch, grantless=grantless)
        need = await self._tokens.need(account, site, target, call)
        run = _Run(call, user, target, account, checked_at, site, buckets, need, reader, rate=buckets.primary.rate)
        run.counted = ports.counts.of(run.name)
        run.counted.calls += 1
        ports.budgets.called(account.account_id)
        while True:
            done = await self._attempt(run)
            if done is not None:
                return done

    async def account(self, account_id: str, user: str, *, grantless: bool = False) -> Account:
        """Return an account that the user owns and that can be used. Raises NotFound, PreconditionFailed.

        `grantless`: for a call that needs no seller's authorization, so that subscriptions of a lost one can be ended.
        """
        account = await self._ports.accounts.get(account_id)
        concerns(account.account_id)
        if user and account.user_id != user:
            raise NotFound.account(account_id)
        if account.state == "INACTIVE":
            raise PreconditionFailed.inactive()
        if account.state == "AUTHORIZATION_REVOKED" and not grantless:
            raise PreconditionFailed.revoked()
        return account

    def site(self, account: Account) -> Site:
        """Return where calls of an account go unless they name another environment. Raises InvalidRequest."""
        return self._ports.sites.of(account.marketplace, sandbox=account.sandbox)

    async def _permitted(self, call: SpApiCall, target: Target, user: str) -> Account:
        """Return the account of a call that `user` may make now. Raises NotFound, PreconditionFailed, NotAllowed."""
        account = await self.account(call.account_id, user, grantless=bool(target.grantless_scope))
        if target.grantless_scope and user and account.shared_application:
            raise NotAllowed(
                f"{call.operation or target.path} acts for the application, which is not the user's own; an operator may call it."
            )
        return account

    async def _check_again(self, run: _Run) -> None:
        """Read the account again after a wait. Raises as `_permitted`, and Conflict where the account is another one now."""
        checked_at = self._ports.left()
        account = await self._permitted(run.call, run.target, run.user)
        changed = [name for name in _IDENTITY if getattr(account, name) != getattr(run.account, name)]
        if changed:
            raise Conflict(
                f"The account was changed while the call waited ({', '.join(changed)}); nothing was sent. Call again."
            )
        run.account, run.checked_at = account, checked_at

    async def _attempt(self, run: _Run) -> Done | None:
        """Try once; return the response, or None to try again. Raises the typed error of a call that failed for good."""
        try:
            prepared = await self._prepared(run)
        except SellergateError as error:
            # No slot or time for another attempt: what Amazon said last is the response.
            if run.last is None or not (run.uncertain or isinstance(error, QuotaExceeded | OutOfTime)):
                raise
            return run.last()
        return await self._sent(run, *prepared)

    async def _prepared(self, run: _Run) -> tuple[AmazonRequest, float, AccessToken, AwsCredentials | None]:
        """Return what an attempt sends, the seconds that it has, and what it is made with."""
        self._ports.breakers.check(run.site.base_url, run.account.user_id)
        token, credentials = await self._papers(run)
        admission = await self._admit(run)
        try:
            if admission.waited or run.checked_at - self._ports.left() >= RECHECK_SECONDS:
                await self._check_again(run)
                # The wait may have been longer than the rest of the token's life.
                token, credentials = await self._papers(run)
            request = self._request(run, token, credentials)
            request.on_sent = partial(self._ports.quota.on_sent, admission)
            seconds = self._seconds_to_send(run)
        except BaseException:
            self._ports.quota.cancel(admission)
            raise
        return request, seconds, token, credentials

    def _seconds_to_send(self, run: _Run) -> float:
        """Return the time that an attempt has, and enter the breaker. Raises OutOfTime, Unavailable."""
        left = self._ports.left()
        late = min(LATENESS_TIMES * self._ports.lateness(), LARGEST_SHARE * left)
        seconds = min(LONGEST_ATTEMPT_SECONDS, left - RESERVE_SECONDS - late)
        if seconds <= 0:
            raise OutOfTime("The call waited for its slot until its deadline; give it more time.")
        self._ports.breakers.enter(run.site.base_url, run.account.user_id)
        return seconds

    async def _sent(
        self,
        run: _Run,
        request: AmazonRequest,
        seconds: float,
        token: AccessToken,
        credentials: AwsCredentials | None,
    ) -> Done | None:
        """Send a request; return as `_attempt` does.

        A caller whose time ends while it is under way gets the error of a request that was sent, as if no response had come.
        """
        ports, idempotent = self._ports, run.target.idempotent
        host, user = run.site.base_url, run.account.user_id
        run.attempts += 1
        run.counted.requests += 1
        try:
            answer, reading = await send(ports.amazon, ports.breakers, host, user, request, seconds, run.reader)
        except asyncio.CancelledError:
            if not request.sent or ports.left() > RESERVE_SECONDS:
                raise  # nothing was sent, or the caller has left
            late = FateUnknown("the call's time was over", late=True)
            raise unfinished(late, run.name, idempotent=idempotent, left=0.0) from None
        except ResponseOversized as error:
            raise oversized(error.answer, run.name) from None
        except (NotSent, FateUnknown) as error:
            sent = isinstance(error, FateUnknown)
            final = (
                unfinished(error, run.name, idempotent=idempotent, left=ports.left())
                if sent
                else unsent(error, run.name)
            )
            return await self._again(run, Failure.UNKNOWN if sent else Failure.NOT_DONE, None, partial(_raised, final))
        return await self._answered(run, answer, reading, token, credentials)

    async def _answered(
        self,
        run: _Run,
        answer: AmazonAnswer,
        reading: Reading,
        token: AccessToken,
        credentials: AwsCredentials | None,
    ) -> Done | None:
        await self._learn(run, answer)
        if reading.kind is Kind.SUCCESS:
            if self._tokens.learns(run.target):
                learning = self._tokens.learn(run.account, run.site, run.target, answer)
                await self._follow_ups.run("learn report types", learning, None)
            return Done(answer, run.target.operation, run.attempts, run.waited, run.account.revision)
        final = partial(self._final, run, answer, reading)
        if run.call.as_is:
            run.last = final
        if reading.kind in _REPAIRABLE and not run.repaired and await self._repaired(run, reading, token, credentials):
            return None
        retry_after = retry_after_of(answer)
        if reading.kind is Kind.THROTTLED:
            run.counted.throttled += 1
            throttled = self._ports.quota.on_throttled(
                run.buckets, 1 / run.rate if retry_after is None else retry_after
            )
            await self._follow_ups.run("note throttling", throttled, None)
        return await self._again(run, failure_of(reading.kind), retry_after, final)

    async def _repaired(
        self, run: _Run, reading: Reading, token: AccessToken, credentials: AwsCredentials | None
    ) -> bool:
        """Have what Amazon refused replaced, once a call; False when nothing else could be sent."""
        run.repaired = True
        if reading.kind is Kind.CREDENTIALS_REFUSED:
            if credentials is None:
                return False
            invalidation = self._ports.credentials.invalidate(run.account, credentials)
            return await self._follow_ups.run("invalidate credentials", invalidation, False)
        replacement = self._tokens.refused(run.account, run.need, token, reading)
        need = await self._follow_ups.run("replace token", replacement, None)
        run.need = need or run.need
        return need is not None

    def _final(self, run: _Run, answer: AmazonAnswer, reading: Reading) -> Done:
        if not run.call.as_is:
            raise to_error(
                answer,
                reading,
                run.name,
                idempotent=run.target.idempotent,
                interval=1 / run.rate,
                personal=bool(run.need.resources),
            )
        interval = 1 / run.rate if reading.kind is Kind.THROTTLED and not answer.header("retry-after") else None
        done = Done(answer, run.target.operation, run.attempts, run.waited, run.account.revision)
        done.retry_after = interval
        return done

    async def _papers(self, run: _Run) -> tuple[AccessToken, AwsCredentials | None]:
        """Return what a call is made with: a token, and credentials where it is signed."""
        token = await self._tokens.get(run.account, run.need)
        return token, await self._ports.credentials.get(run.account) if signs(run.account) else None

    def _request(self, run: _Run, token: AccessToken, credentials: AwsCredentials | None) -> AmazonRequest:
        secret = ("x-amz-access-token", token.value.get_secret_value())
        url = run.site.base_url + run.target.path_and_query
        request = AmazonRequest(run.target.method, url, (*run.target.headers, secret), run.call.body, run.name)
        signing_region = run.site.region.signing_region
        return self._ports.signer.sign(request, credentials, signing_region) if credentials else request

    async def _admit(self, run: _Run) -> Admission:
        """Wait for a slot in every bucket. Raises QuotaExceeded."""
        left = max(0.0, self._ports.left() - RESERVE_SECONDS)
        longest = left if run.call.max_wait is None else min(left, max(0.0, run.call.max_wait - run.waited))
        try:
            admission = await self._ports.quota.acquire(run.buckets, longest)
        except QuotaExceeded as error:
            run.counted.refused += 1
            raise refused_by_quota(error, run.name) from None
        run.rate = admission.rate
        run.waited += admission.waited
        run.counted.rate_share = admission.rate / run.buckets.primary.rate
        if admission.waited:
            run.counted.waits += 1
            run.counted.waited += admission.waited
        return admission

    async def _learn(self, run: _Run, answer: AmazonAnswer) -> None:
        """Believe the rate that Amazon told, where it differs from the one in force."""
        told = rate_limit_of(answer)
        if told and run.buckets.primary.learns and abs(told - run.rate) > run.rate * _RATE_TOLERANCE:
            await self._follow_ups.run("learn rate", self._ports.quota.update_rate(run.buckets, told), None)
            run.rate = told

    async def _again(
        self, run: _Run, failure: Failure, retry_after: float | None, last: Callable[[], Done]
    ) -> Done | None:
        """Wait before the next attempt and return None; end the call by `last` when there is none."""
        run.last, run.uncertain = last, run.uncertain or failure is Failure.UNKNOWN
        return None if await self._paused(run, failure, retry_after) else last()

    async def _paused(self, run: _Run, failure: Failure, retry_after: float | None) -> bool:
        """Wait before the next attempt; False when there is none."""
        left = self._ports.left() - RESERVE_SECONDS
        attempt = Attempt(run.attempts, failure, run.target.idempotent, left, retry_after)
        pause = pause_before_retry(attempt, self._ports.jitter)
        if pause is None or not self._ports.budgets.spend(run.account.account_id):
            return False
        await self._ports.sleep(pause)
        return True


def _raised(error: SellergateError) -> NoReturn:
    raise error
