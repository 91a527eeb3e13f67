"""What the token domain needs: the credentials of an account, LWA, and a cache of tokens."""

from dataclasses import dataclass
from typing import Protocol

from pydantic import SecretStr
from sellergate_common.entries import Entries


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


# Access tokens of accounts by revision, shared by all replicas; the mark is a token's fingerprint.
TokenCache = Entries[AccountView, AccessToken, str]
