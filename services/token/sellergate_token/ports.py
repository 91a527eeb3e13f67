"""What the token domain needs: the credentials of an account, LWA, and a cache of tokens."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from pydantic import SecretStr


@dataclass(frozen=True, slots=True)
class Grant:
    """What one exchange with LWA needs: an LWA client and a refresh token."""

    client_id: SecretStr
    client_secret: SecretStr
    refresh_token: SecretStr


@dataclass(frozen=True, slots=True)
class AccountView:
    """What is known of an account without opening a secret."""

    account_id: str
    revision: int


@dataclass(frozen=True, slots=True)
class AccountGrant:
    """An account's grant, and the revision that it belongs to."""

    account: AccountView
    grant: Grant


@dataclass(frozen=True, slots=True)
class AccessToken:
    """An access token. `expire_time` is in seconds since the epoch, by the wall clock at receipt."""

    value: SecretStr
    expire_time: float
    refresh_token: SecretStr | None = None
    """The refresh token that came with it, where LWA sent one."""


@dataclass(slots=True)
class Counts:
    """What happened since the process started."""

    hits: int = 0
    misses: int = 0
    refreshes: int = 0
    shared_waits: int = 0
    failures: int = 0

    @property
    def hit_ratio(self) -> float:
        """Hits among all answers; 0 when nothing was asked."""
        asked = self.hits + self.misses
        return self.hits / asked if asked else 0.0


class Accounts(Protocol):
    """The account service, as the token service may see it."""

    async def view(self, account_id: str) -> AccountView:
        """Return an account that can be used. Raises NotFound, PreconditionFailed, Unavailable."""

    async def grant(self, account_id: str) -> AccountGrant:
        """Open an account's grant. Raises NotFound, PreconditionFailed, Unavailable."""

    async def mark_revoked(self, account: AccountView) -> None:
        """Record that Amazon refused this revision's grant for good; an account that has moved on is left alone."""


class Lwa(Protocol):
    """Login with Amazon."""

    async def refresh(self, grant: Grant) -> AccessToken:
        """Exchange a refresh token for an access token.

        Raises PreconditionFailed (AUTHORIZATION_REVOKED, LWA_CLIENT_REJECTED), Unavailable (AMAZON_UNAVAILABLE), OutOfTime.
        """


class TokenCache(Protocol):
    """Access tokens of accounts by revision, shared by all replicas. It may lose anything at any moment."""

    async def get(self, account: AccountView) -> AccessToken | None:
        """Return the cached token, whatever is left of its life."""

    async def put(self, account: AccountView, token: AccessToken) -> None:
        """Keep a token until it expires."""

    async def drop_if(self, account: AccountView, fingerprint: str) -> bool:
        """Drop the token if it has this fingerprint; True when it was there."""

    async def drop(self, account: AccountView) -> bool:
        """Drop the token; True when there was one."""

    async def clear(self) -> int:
        """Drop all tokens and return how many there were. Raises Unavailable."""

    async def count(self) -> int:
        """Return how many tokens there are. Raises Unavailable."""

    async def once(
        self,
        account: AccountView,
        look: Callable[[], Awaitable[AccessToken | None]],
        fetch: Callable[[], Awaitable[AccessToken]],
    ) -> AccessToken:
        """Return what `look` finds, or what `fetch` brings and puts here: fetched once for all who ask at the time."""

    @property
    def shared_waits(self) -> int:
        """Return how many waited for another's fetch, since the process started."""
