"""Ports and values of the token domain: an account's credentials, LWA, and the cache of tokens."""

from dataclasses import dataclass
from typing import Protocol

from pydantic import SecretStr
from sellergate_common.cache.entries import Entries
from sellergate_common.context import Caller
from sellergate_common.errors import Reason


@dataclass(frozen=True, slots=True)
class LwaClient:
    """An LWA client with its secrets. Amazon still accepts `previous_secret` for some time after a rotation."""

    client_id: SecretStr
    client_secret: SecretStr
    previous_secret: SecretStr | None = None


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """A seller's grant, by its refresh token."""

    value: SecretStr


@dataclass(frozen=True, slots=True)
class Scope:
    """An application's own grant for a scope without a seller, as in sellingpartnerapi::notifications."""

    value: str


@dataclass(frozen=True, slots=True)
class Code:
    """An authorization code (spapi_oauth_code) and the redirect URI that received it; valid once, for 5 minutes."""

    value: SecretStr
    redirect_uri: str


Grant = RefreshToken | Scope | Code


@dataclass(frozen=True, slots=True)
class AccountView:
    """An account without its secrets."""

    account_id: str
    revision: int


@dataclass(frozen=True, slots=True)
class Standing:
    """The present state of an account, which may be one whose grant Amazon has refused."""

    account: AccountView
    user_id: str
    revoked: bool


@dataclass(frozen=True, slots=True)
class ApplicationView:
    """An application's own grant for a scope. The etag changes with the application."""

    application_id: str
    etag: str
    scope: str


@dataclass(frozen=True, slots=True)
class CallersGrant:
    """A caller that keeps credentials itself, and the SHA-256 of these, which reveals nothing of them and is not stored."""

    digest: str
    caller: Caller


TokenKey = AccountView | ApplicationView | CallersGrant
"""The owner of a cached token. Keys of different accounts, revisions, applications, scopes and callers are never equal."""


@dataclass(frozen=True, slots=True)
class AccountGrant:
    """An account's grant with its LWA client, and their revision."""

    account: AccountView
    client: LwaClient
    refresh_token: RefreshToken


@dataclass(frozen=True, slots=True)
class AccessToken:
    """An access token. `expire_time` is in seconds since the epoch, by the local clock; `life` is LWA's lifetime in seconds."""

    value: SecretStr
    expire_time: float
    life: float
    refresh_token: SecretStr | None = None
    """The refresh token that came with it, if LWA sent one."""
    revision: int = 0
    """The revision of the account; 0 for other grants."""

    def of_revision(self, revision: int) -> "AccessToken":
        """Return the same token for an account's revision; dataclasses.replace would take several times as long."""
        return AccessToken(self.value, self.expire_time, self.life, self.refresh_token, revision)


class Accounts(Protocol):
    """The part of the account service that the token domain uses."""

    async def view(self, account_id: str, at_least: int = 0) -> AccountView:
        """Return an account that can be used, of the revision `at_least` or a later one.

        Raises NotFound, PreconditionFailed, Unavailable.
        """

    def has_view(self, account_id: str) -> bool:
        """Return whether `view` returns at once, without a request to the account service."""

    async def standing(self, account_id: str) -> Standing:
        """Return the state of an active or revoked account. Raises NotFound, PreconditionFailed (inactive), Unavailable."""

    async def grant(self, account_id: str, *, verifying: bool = False) -> AccountGrant:
        """Return an account's grant; with `verifying`, of a revoked one too. Raises NotFound, PreconditionFailed, Unavailable."""

    def forget(self, account_id: str) -> None:
        """Drop the copy of an account that has changed."""

    async def application(self, application_id: str, scope: str) -> ApplicationView:
        """Return an application. Raises NotFound, Unavailable."""

    async def client(self, application_id: str) -> LwaClient:
        """Return an application's LWA client. Raises NotFound, Unavailable."""

    async def rotate(self, account: AccountView, refresh_token: SecretStr) -> AccountView:
        """Store the refresh token that Amazon sent in place of this revision's. Raises Conflict for a changed account."""

    async def mark_revoked(self, account: AccountView) -> None:
        """Record that Amazon refused this revision's grant for good. An account with a later revision does not change."""

    async def restore(self, account: AccountView) -> AccountView:
        """Record that Amazon accepted this revision's grant. Return the account after it. Raises Conflict."""


class VerificationLimiter(Protocol):
    """A limit on verifications of an account, shared by all replicas."""

    async def acquire(self, account_id: str, seconds: float) -> bool:
        """Reserve the next verification for `seconds`. Return False if it is reserved already, or Redis is unavailable."""


class Lwa(Protocol):
    """Login with Amazon."""

    async def exchange(self, client_id: SecretStr, client_secret: SecretStr, grant: Grant) -> AccessToken:
        """Exchange a grant for an access token. For a code, the token carries the refresh token.

        Raises PreconditionFailed (AUTHORIZATION_REVOKED, AUTHORIZATION_MISMATCH, LWA_CLIENT_REJECTED), InvalidRequest (a refused
        scope or code), AmazonRefused (AMAZON_DENIED, AMAZON_REJECTED), Unavailable (AMAZON_UNAVAILABLE), OutOfTime.
        """


AUTHORIZATION_LOST = frozenset({Reason.AUTHORIZATION_REVOKED, Reason.AUTHORIZATION_MISMATCH})
"""Refusals of one account's refresh token, which end only with another token."""

# A cache of access tokens that all replicas share; the mark is a token's fingerprint.
TokenCache = Entries[TokenKey, AccessToken, str]
