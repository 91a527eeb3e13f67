"""Decides about access tokens: when a cached one will do, and what an exchange's failure means."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from pydantic import SecretStr
from sellergate_common.entries import Counts
from sellergate_common.errors import InvalidRequest, PreconditionFailed, Reason

from sellergate_token.exchanges import Exchanges
from sellergate_token.ports import AccessToken, Accounts, AccountView, LwaClient, RefreshToken, TokenCache

# A token that is about to end is of no use: the call that carries it may arrive after its end. Amazon's own SDKs keep 30 to 60 s.
DEFAULT_MIN_LIFETIME = 60.0
# LWA's access tokens live for an hour; more than this much of one cannot be asked for.
TOKEN_LIFE = 3600.0
LARGEST_MIN_LIFETIME = TOKEN_LIFE - 30.0


class Tokens:
    """Access tokens of accounts."""

    def __init__(self, accounts: Accounts, exchanges: Exchanges, cache: TokenCache, now: Callable[[], float]) -> None:
        self._accounts = accounts
        self._exchanges = exchanges
        self._cache = cache
        self._now = now
        self._counts = Counts()

    async def for_account(self, account_id: str, min_lifetime: float | None) -> tuple[AccessToken, bool]:
        """Return a token that lives for at least `min_lifetime` seconds, and whether it came from the cache.

        Raises InvalidRequest, NotFound, PreconditionFailed, Unavailable.
        """
        lifetime = self._lifetime(min_lifetime)
        account = await self._accounts.view(account_id)
        look = partial(self._cached, account, lifetime)
        cached = await look()
        if cached is not None:
            self._counts.hits += 1
            return cached, True
        self._counts.misses += 1
        return await self._cache.once(account, look, partial(self._fetched, account_id)), False

    async def for_client(self, client: LwaClient, refresh_token: RefreshToken) -> AccessToken:
        """Exchange credentials that a caller keeps itself; nothing is cached, so nothing of theirs is stored."""
        self._counts.misses += 1
        token = await self._exchanges.exchange(client, refresh_token)
        return replace(token, refresh_token=_if_new(token.refresh_token, refresh_token.value))

    async def invalidate(self, account_id: str, fingerprint: str) -> bool:
        """Drop an account's token that Amazon refused, if it is still the cached one."""
        return await self._cache.drop_if(await self._accounts.view(account_id), fingerprint)

    async def clear(self, account_id: str) -> int:
        """Drop the token of one account, or with an empty id those of all; return how many there were."""
        if account_id:
            return int(await self._cache.drop(await self._accounts.view(account_id)))
        return await self._cache.clear()

    async def stats(self) -> tuple[Counts, int]:
        """Return what happened since the start, and how many tokens are cached. Raises Unavailable."""
        made, failed = self._exchanges.made, self._exchanges.failed
        counts = replace(self._counts, shared_waits=self._cache.shared_waits, fetches=made, failures=failed)
        return counts, await self._cache.count()

    async def _cached(self, account: AccountView, lifetime: float) -> AccessToken | None:
        """Return the cached token if it lives for `lifetime` seconds more."""
        token = await self._cache.get(account)
        return token if token and token.expire_time - self._now() >= lifetime else None

    async def _fetched(self, account_id: str) -> AccessToken:
        """Exchange an account's grant and cache the token under the revision that the grant belongs to."""
        opened = await self._accounts.grant(account_id)
        try:
            token = await self._exchanges.exchange(opened.client, opened.refresh_token)
        except PreconditionFailed as error:
            if error.reason is Reason.AUTHORIZATION_REVOKED:
                await self._accounts.mark_revoked(opened.account)
            raise
        await self._cache.put(opened.account, token)
        return token

    def _lifetime(self, asked: float | None) -> float:
        if asked is None:
            return DEFAULT_MIN_LIFETIME
        if not 0 <= asked <= LARGEST_MIN_LIFETIME:
            raise InvalidRequest.of_field("min_lifetime", f"must be from 0 to {LARGEST_MIN_LIFETIME:.0f} s")
        return asked


def fingerprint_of(token: SecretStr) -> str:
    """Return the SHA-256 of a token in hex: it names the token and tells nothing of it."""
    return hashlib.sha256(token.get_secret_value().encode()).hexdigest()


def _if_new(sent: SecretStr | None, known: SecretStr) -> SecretStr | None:
    return sent if sent is not None and sent != known else None
