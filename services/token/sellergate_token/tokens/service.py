"""The rules of access tokens: their owners, their lifetimes, and the consequences of an exchange's outcome."""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial

from pydantic import SecretStr
from sellergate_common.cache.entries import Counts, Lookup, longest_ttl
from sellergate_common.context import Caller
from sellergate_common.errors import Conflict, InvalidRequest, PreconditionFailed, SellergateError, Unavailable
from sellergate_common.observability.logs import get_logger

from sellergate_token.ports import (
    AUTHORIZATION_LOST,
    AccessToken,
    Accounts,
    AccountView,
    CallersGrant,
    LwaClient,
    RefreshToken,
    Scope,
    TokenCache,
)
from sellergate_token.tokens.exchanges import Exchanges, changed_token

# LWA's access tokens live for an hour (developer docs, "connect to the Selling Partner API").
LARGEST_MIN_LIFETIME = longest_ttl(3600.0)
_ATTEMPTS = 3


class Tokens:
    """Access tokens of accounts, applications and callers' own credentials. Times are in seconds."""

    def __init__(self, accounts: Accounts, exchanges: Exchanges, cache: TokenCache, now: Callable[[], float]) -> None:
        self._accounts = accounts
        self._exchanges = exchanges
        self._cache = cache
        self._now = now

    async def for_account(
        self, account_id: str, min_lifetime: float | None, expected_revision: int = 0
    ) -> Lookup[AccessToken]:
        """Return a token of an account, of `expected_revision` or a later one, that lives for at least `min_lifetime`.

        Its `revision` is the grant's. Raises InvalidRequest, NotFound, PreconditionFailed, Unavailable, OutOfTime.
        """
        _check(min_lifetime)
        for attempt in range(_ATTEMPTS):
            # Before the first exchange the account is not read only to learn its revision: the exchange itself reads the account.
            unread = not attempt and expected_revision > 0 and not self._accounts.has_view(account_id)
            account = AccountView(account_id, expected_revision)
            if not unread:
                account = await self._accounts.view(account_id, expected_revision)
            fetch = _Fetch(partial(self._fetch, account, unread=unread))
            try:
                found = await self._cache.obtain(account, min_lifetime, fetch)
            except Conflict:
                if not unread:
                    self._accounts.forget(account_id)
                continue
            except PreconditionFailed as error:
                # A remembered refusal of the caller's revision says nothing about a later one.
                if unread and error.reason in AUTHORIZATION_LOST and await self._has_changed(account):
                    continue
                raise
            # Only the exchange of this call read the account during it: another call's may have begun before the last change.
            is_known = not unread or (fetch.began and not found.cached)
            if not is_known and await self._accounts.view(account_id, expected_revision) != account:
                continue
            found = self._check_lifetime(found, min_lifetime)
            return Lookup(found.value.of_revision(account.revision), found.cached)
        raise Unavailable("The account changed several times during the request. Try again.", retry_after=1.0)

    async def for_application(self, application_id: str, scope: str, min_lifetime: float | None) -> Lookup[AccessToken]:
        """Return an application's own token for a scope. Raises as for_account does."""
        _check(min_lifetime)
        application = await self._accounts.application(application_id, scope)

        async def fetch() -> AccessToken:
            token = await self._exchanges.exchange(await self._accounts.client(application_id), Scope(scope))
            return replace(token, refresh_token=None)

        return self._check_lifetime(await self._cache.obtain(application, min_lifetime, fetch), min_lifetime)

    async def for_client(
        self, client: LwaClient, refresh_token: RefreshToken, caller: Caller, min_lifetime: float | None
    ) -> Lookup[AccessToken]:
        """Return a token for credentials that a caller keeps itself, cached for this caller.

        It carries the refresh token that Amazon sent in place of the given one, also from the cache: only the caller can store
        it. Raises InvalidRequest, PreconditionFailed, Unavailable, OutOfTime.
        """
        _check(min_lifetime)

        async def fetch() -> AccessToken:
            token = await self._exchanges.exchange(client, refresh_token)
            sent = changed_token(token.refresh_token, refresh_token.value)
            if sent is not None:
                renewed = callers_grant(client, RefreshToken(sent), caller)
                await self._cache.put(renewed, replace(token, refresh_token=None))
            return replace(token, refresh_token=sent)

        key = callers_grant(client, refresh_token, caller)
        return self._check_lifetime(await self._cache.obtain(key, min_lifetime, fetch), min_lifetime)

    async def invalidate(self, account_id: str, fingerprint: str) -> bool:
        """Drop an account's token that Amazon refused, if it is still the cached one."""
        return await self._cache.drop_if(await self._accounts.view(account_id), fingerprint)

    async def invalidate_grantless(self, application_id: str, scope: str, fingerprint: str) -> bool:
        """Drop an application's own token that Amazon refused, if it is still the cached one."""
        return await self._cache.drop_if(await self._accounts.application(application_id, scope), fingerprint)

    async def invalidate_callers(
        self, client: LwaClient, refresh_token: RefreshToken, caller: Caller, fingerprint: str
    ) -> bool:
        """Drop the token of credentials that a caller keeps itself, if it is still the cached one."""
        return await self._cache.drop_if(callers_grant(client, refresh_token, caller), fingerprint)

    async def clear(self, account_id: str) -> int:
        """Drop the token of one account, or with an empty id all tokens. Return their number."""
        if account_id:
            return int(await self._cache.drop(await self._accounts.view(account_id)))
        return await self._cache.clear()

    async def stats(self) -> tuple[Counts, int]:
        """Return the counts since the start, and the number of cached tokens. Raises Unavailable."""
        return self.counts(), await self._cache.count()

    def counts(self) -> Counts:
        """Return the counts since the start. Fetches are exchanges with LWA."""
        counts, exchanges = self._cache.counts, self._exchanges
        return replace(counts, fetches=exchanges.made, failures=exchanges.failed)

    async def _has_changed(self, account: AccountView) -> bool:
        """Return whether an account is usable and has a later revision."""
        try:
            return await self._accounts.view(account.account_id, account.revision) != account
        except SellergateError:
            return False

    async def _fetch(self, account: AccountView, *, unread: bool = False) -> AccessToken:
        """Exchange the grant of one revision. Store Amazon's changes to the grant before any caller gets the token.

        Of an `unread` account, the state is not known to permit calls; then raises Conflict, so that the account is read.
        """
        try:
            opened = await self._accounts.grant(account.account_id)
        except PreconditionFailed as error:
            if unread:
                raise Conflict("The account's state permits no calls.") from error
            raise
        if opened.account != account:
            raise Conflict("The account has changed since it was read. Try again.")
        try:
            token = await self._exchanges.exchange(opened.client, opened.refresh_token)
        except PreconditionFailed as error:
            if error.reason in AUTHORIZATION_LOST:
                await record_revocation(self._accounts, account)
            raise
        sent = changed_token(token.refresh_token, opened.refresh_token.value)
        token = replace(token, refresh_token=None)
        if sent is not None:
            await self._cache.put(await self._accounts.rotate(account, sent), token)
            self._accounts.forget(account.account_id)
        return token

    def _check_lifetime(self, found: Lookup[AccessToken], min_lifetime: float | None) -> Lookup[AccessToken]:
        if min_lifetime is not None and found.value.expire_time - self._now() < min_lifetime:
            raise InvalidRequest.of_field(
                "min_lifetime", f"is longer than the {found.value.life:.0f} s for which LWA's tokens live"
            )
        return found


class _Fetch:
    """The fetch of one call. `began` is false as long as the call only waits for another one's."""

    __slots__ = ("_run", "began")

    def __init__(self, run: Callable[[], Awaitable[AccessToken]]) -> None:
        self._run = run
        self.began = False

    def __call__(self) -> Awaitable[AccessToken]:
        self.began = True
        return self._run()


async def record_revocation(accounts: Accounts, account: AccountView) -> None:
    """Record that Amazon refused a grant for good. A failure is only logged, so that the caller gets the refusal."""
    try:
        await accounts.mark_revoked(account)
    except SellergateError as error:
        # The refusal stays cached for some seconds; the exchange after them marks the account.
        get_logger().warning("revocation_not_marked", reason=error.reason)
    accounts.forget(account.account_id)


def _check(min_lifetime: float | None) -> None:
    if min_lifetime is not None and not 0 <= min_lifetime <= LARGEST_MIN_LIFETIME:
        raise InvalidRequest.of_field("min_lifetime", f"must be from 0 to {LARGEST_MIN_LIFETIME:.0f} s")


def callers_grant(client: LwaClient, refresh_token: RefreshToken, caller: Caller) -> CallersGrant:
    """Return the cache key of credentials that a caller keeps itself."""
    parts = [one.get_secret_value().encode() for one in (client.client_id, client.client_secret, refresh_token.value)]
    message = b"".join(len(part).to_bytes(4) + part for part in parts)
    return CallersGrant(hashlib.sha256(message).hexdigest(), caller)


def fingerprint_of(token: SecretStr) -> str:
    """Return the SHA-256 of a token in hex, which identifies the token and reveals nothing of it."""
    return hashlib.sha256(token.get_secret_value().encode()).hexdigest()
