"""Verifies accounts: one exchange with LWA, whatever is cached, decides whether an account is active or revoked."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from sellergate_common.cache.entries import Lookup
from sellergate_common.errors import NotFound, PreconditionFailed, Reason

from sellergate_token.ports import (
    AUTHORIZATION_LOST,
    AccessToken,
    Accounts,
    AccountView,
    Standing,
    TokenCache,
    VerificationLimiter,
)
from sellergate_token.tokens.exchanges import Exchanges
from sellergate_token.tokens.service import Tokens, if_new, record_revocation

# Neither a button that is pressed again and again nor a monitor may make more exchanges of one account than this.
TURN_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Verified:
    """What an account's token is. `age` is in seconds since LWA gave it."""

    exchanged: bool
    age: float
    restored: bool = False


class Verifications:
    """Verifications of accounts. `now` is the wall clock."""

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

    async def verify(self, account_id: str, user: str) -> Verified:
        """Exchange an account's refresh token and record the result. `user` limits it to that user's own; empty: any.

        Within 60 s of the last exchange only the token that is there is looked at. Raises NotFound, PreconditionFailed,
        Unavailable, OutOfTime; then the account stays as it is, unless Amazon refused its grant.
        """
        standing = await self._accounts.standing(account_id)
        if user and standing.user_id != user:
            raise NotFound.account(account_id)
        if not await self._limiter.acquire(account_id, TURN_SECONDS):
            return await self._known(standing)
        opened = await self._accounts.grant(account_id, verifying=True)
        try:
            token = await self._exchanges.exchange(opened.client, opened.refresh_token)
        except PreconditionFailed as error:
            if error.reason in AUTHORIZATION_LOST:
                await record_revocation(self._accounts, opened.account)
            raise
        account = opened.account
        sent = if_new(token.refresh_token, opened.refresh_token.value)
        if sent is not None:
            account = await self._accounts.rotate(account, sent)
        elif standing.revoked:
            account = await self._accounts.restore(account)
        await self._kept(account, replace(token, refresh_token=None))
        return Verified(exchanged=True, age=0.0, restored=standing.revoked)

    async def _kept(self, account: AccountView, token: AccessToken) -> None:
        """Put the new token in the place of the cached one."""
        self._accounts.forget(account.account_id)
        await self._cache.drop(account)
        await self._cache.put(account, token)

    async def _known(self, standing: Standing) -> Verified:
        if standing.revoked:
            raise PreconditionFailed(
                f"Amazon refused the seller's authorization less than {TURN_SECONDS:.0f} s ago; verify the account later,"
                " or let the seller authorize the application again.",
                reason=Reason.AUTHORIZATION_REVOKED,
                retry_after=TURN_SECONDS,
            )
        found: Lookup[AccessToken] = await self._tokens.for_account(standing.account.account_id, None)
        age = self._now() - (found.value.expire_time - found.value.life)
        return Verified(exchanged=not found.cached, age=max(0.0, age))
