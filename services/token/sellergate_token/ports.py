"""What the token domain needs: the credentials of an account, LWA, and a cache of tokens."""

from dataclasses import dataclass
from typing import Protocol

from pydantic import SecretStr
from sellergate_common.cache.entries import Entries
from sellergate_common.context import Caller
from sellergate_common.errors import Reason


@dataclass(frozen=True, slots=True)
class LwaClient:
    """An LWA client in the clear; `previous_secret` is one that Amazon still accepts after a rotation."""

    client_id: SecretStr
    client_secret: SecretStr
    previous_secret: SecretStr | None = None


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """A seller's grant: what its refresh token opens."""

    value: SecretStr


@dataclass(frozen=True, slots=True)
class Scope:
    """An application's own grant, without any seller, as in sellingpartnerapi::notifications."""

    value: str


@dataclass(frozen=True, slots=True)
class Code:
    """What Amazon's redirect brought (spapi_oauth_code), and the redirect URI that it came to; good once, for 5 minutes."""

    value: SecretStr
    redirect_uri: str


Grant = RefreshToken | Scope | Code


@dataclass(frozen=True, slots=True)
class AccountView:
    """What is known of an account without opening a secret."""

    account_id: str
    revision: int


@dataclass(frozen=True, slots=True)
class Standing:
    """The present state of an account, also of one whose grant Amazon has refused."""

    account: AccountView
    user_id: str
    revoked: bool


@dataclass(frozen=True, slots=True)
class ApplicationView:
    """An application's own grant for a scope; the etag changes with the application."""

    application_id: str
    etag: str
    scope: str


@dataclass(frozen=True, slots=True)
class CallersGrant:
    """The caller that keeps credentials itself, and their SHA-256: it reveals nothing of them and is not stored."""

    digest: str
    caller: Caller


TokenKey = AccountView | ApplicationView | CallersGrant
"""Whose token it is: keys of different accounts, revisions, applications, scopes and callers are never equal."""


@dataclass(frozen=True, slots=True)
class AccountGrant:
    """An account's grant with its LWA client, and the revision that they belong to."""

    account: AccountView
    client: LwaClient
    refresh_token: RefreshToken


@dataclass(frozen=True, slots=True)
class AccessToken:
    """An access token. `expire_time` is in seconds since the epoch, by the wall clock at receipt; `life` is what LWA gave it."""

    value: SecretStr
    expire_time: float
    life: float
    refresh_token: SecretStr | None = None
    """The refresh token that came with it, where LWA sent one."""
    revision: int = 0
    """Of the account that it was handed out for; 0 for other grants."""


class Accounts(Protocol):
    """The account service, as the token service may see it."""

    async def view(self, account_id: str, at_least: int = 0) -> AccountView:
        """Return an account that can be used, of the revision `at_least` or a later one.

        Raises NotFound, PreconditionFailed, Unavailable.
        """

    async def standing(self, account_id: str) -> Standing:
        """Return an active or revoked account as it is now. Raises NotFound, PreconditionFailed (inactive), Unavailable."""

    async def grant(self, account_id: str, *, verifying: bool = False) -> AccountGrant:
        """Open an account's grant, with `verifying` a revoked one's too. Raises NotFound, PreconditionFailed, Unavailable."""

    def forget(self, account_id: str) -> None:
        """Forget the copy of an account that has changed."""

    async def application(self, application_id: str, scope: str) -> ApplicationView:
        """Return an application. Raises NotFound, Unavailable."""

    async def client(self, application_id: str) -> LwaClient:
        """Open an application's LWA client. Raises NotFound, Unavailable."""

    async def rotate(self, account: AccountView, refresh_token: SecretStr) -> AccountView:
        """Store the refresh token that Amazon sent in place of this revision's. Raises Conflict when the account has moved on."""

    async def mark_revoked(self, account: AccountView) -> None:
        """Record that Amazon refused this revision's grant for good; an account with a later revision is not changed."""

    async def restore(self, account: AccountView) -> AccountView:
        """Record that Amazon accepted the grant of a revoked account; return its new revision. Raises Conflict."""


class VerificationLimiter(Protocol):
    """A limit on verifications of an account, shared by all replicas."""

    async def acquire(self, account_id: str, seconds: float) -> bool:
        """Take the turn for `seconds`; False where it is taken, or where Redis is unavailable."""


class Lwa(Protocol):
    """Login with Amazon."""

    async def exchange(self, client_id: SecretStr, client_secret: SecretStr, grant: Grant) -> AccessToken:
        """Exchange a grant for an access token; for a code, its refresh token comes with it.

        Raises PreconditionFailed (AUTHORIZATION_REVOKED, AUTHORIZATION_MISMATCH, LWA_CLIENT_REJECTED), InvalidRequest (a scope or
        code that Amazon refuses), AmazonRefused (AMAZON_DENIED, AMAZON_REJECTED), Unavailable (AMAZON_UNAVAILABLE), OutOfTime.
        """


AUTHORIZATION_LOST = frozenset({Reason.AUTHORIZATION_REVOKED, Reason.AUTHORIZATION_MISMATCH})
"""Refusals that are about one account's refresh token and end only with another one."""

# Access tokens, shared by all replicas; the mark is a token's fingerprint.
TokenCache = Entries[TokenKey, AccessToken, str]
