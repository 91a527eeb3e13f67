"""Verification of accounts: one exchange with LWA, past the cache, decides whether an account is active or revoked."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

from sellergate_common.cache.entries import Lookup
from sellergate_common.errors import Conflict, NotFound, PreconditionFailed, Reason, SellergateError, Unavailable
from sellergate_common.flights.local_flight import LocalFlight
from sellergate_common.observability.logs import get_logger

from sellergate_token.ports import (
    AUTHORIZATION_LOST,
    AccessToken,
    Accounts,
    AccountView,
    Standing,
    TokenCache,
    VerificationLimiter,
)
from sellergate_token.tokens.exchanges import LATE, Exchanges, changed_token
from sellergate_token.tokens.service import Tokens, record_revocation

# The seconds between two exchanges of an account, so that neither a user nor a monitor can cause more of them.
VERIFICATION_SECONDS = 60.0
# The times that a verification begins before it gives up, because the account changes meanwhile.
_ATTEMPTS = 3


class _Changed(Conflict):
    """A change of the account between the reading of its state and the exchange."""


@dataclass(frozen=True, slots=True)
class Verified:
    """The result of a verification. `age` is in seconds since LWA issued the token."""

    exchanged: bool
    age: float
    restored: bool = False


class Verifications:
    """Verification of accounts. `now` is the wall clock in seconds since the epoch."""

    def __init__(
        self,
        accounts: Accounts,
        exchanges: Exchanges,
        tokens: Tokens,
        cache: TokenCache,
        limiter: VerificationLimiter,
        now: Callable[[], float],
    ) -> None:
        self._accounts = accounts
        self._exchanges = exchanges
        self._tokens = tokens
        self._cache = cache
        self._limiter = limiter
        self._now = now
        self._flight: LocalFlight[Verified] = LocalFlight(late=LATE)

    async def verify(self, account_id: str, user: str) -> Verified:
        """Exchange an account's refresh token and record the result. `user`: the owner that the account must have; empty: any.

        Within 60 s of the last exchange, return the age of the cached token. Raises NotFound, PreconditionFailed, Unavailable,
        OutOfTime; then the account does not change, unless Amazon refused its grant. An exchange that lasts longer than the call
        continues, and its result is recorded.
        """
        standing = await self._accounts.standing(account_id)
        if user and standing.user_id != user:
            raise NotFound.account(account_id)
        if not await self._limiter.acquire(account_id, VERIFICATION_SECONDS):
            return await self._cached_result(standing)
        return await self._flight.get(account_id, lambda: self._exchange(standing))

    async def _exchange(self, standing: Standing) -> Verified:
        """Exchange the grant of an account in place of its cached token; callers get the old token meanwhile, or wait."""
        for _ in range(_ATTEMPTS):
            with suppress(_Changed):
                await self._cache.replace(standing.account, partial(self._fetch, standing))
                return Verified(exchanged=True, age=0.0, restored=standing.revoked)
            standing = await self._accounts.standing(standing.account.account_id)
        raise Unavailable("The account changed several times during the verification. Try again.", retry_after=1.0)

    async def _fetch(self, standing: Standing) -> AccessToken:
        """Exchange the grant of an account, and record the result before any caller gets the token.

        Raises _Changed if the account is of another revision: it has changed since, or while this waited for the lease.
        """
        opened = await self._accounts.grant(standing.account.account_id, verifying=True)
        if opened.account != standing.account:
            raise _Changed("The account has changed.")
        try:
            token = await self._exchanges.exchange(opened.client, opened.refresh_token)
        except PreconditionFailed as error:
            if error.reason in AUTHORIZATION_LOST:
                await record_revocation(self._accounts, opened.account)
            raise
        account = opened.account
        sent = changed_token(token.refresh_token, opened.refresh_token.value)
        if sent is not None:
            account = await self._accounts.rotate(account, sent)
        elif standing.revoked:
            account = await self._accounts.restore(account)
        else:
            account = await self._record(account)
        token = replace(token, refresh_token=None)
        self._accounts.forget(account.account_id)
        if account != standing.account:
            await self._cache.put(account, token)
        return token

    async def _record(self, account: AccountView) -> AccountView:
        """Record the verification of an active account. A failure is only logged: the token works, and nothing else changes."""
        try:
            return await self._accounts.restore(account)
        except SellergateError as error:
            get_logger().warning("verification_not_recorded", reason=error.reason)
            return account

    async def _cached_result(self, standing: Standing) -> Verified:
        if standing.revoked:
            raise PreconditionFailed(
                f"Amazon refused the seller's authorization less than {VERIFICATION_SECONDS:.0f} s ago; verify the account later,"
                " or let the seller authorize the application again.",
                reason=Reason.AUTHORIZATION_REVOKED,
                retry_after=VERIFICATION_SECONDS,
            )
        found: Lookup[AccessToken] = await self._tokens.for_account(standing.account.account_id, None)
        age = self._now() - (found.value.expire_time - found.value.life)
        return Verified(exchanged=not found.cached, age=max(0.0, age))
