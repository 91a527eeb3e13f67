"""Where calls take access tokens and AWS credentials from."""

from dataclasses import dataclass
from typing import Protocol

from sellergate_gateway.model import AccessToken, Account, AwsCredentials


@dataclass(frozen=True, slots=True)
class Verified:
    """What a verification found: whether LWA gave the token just now, and how many seconds ago otherwise."""

    exchanged: bool
    age: float


class Tokens(Protocol):
    """Access tokens."""

    async def get(self, account: Account) -> AccessToken:
        """Return a token that lives for a minute at least. Raises PreconditionFailed, Unavailable."""

    async def verify(self, account: Account) -> Verified:
        """Have the refresh token exchanged now, at most once in a while. Raises PreconditionFailed, Unavailable."""

    async def grantless(self, account: Account, scope: str) -> AccessToken:
        """Return a token of the account's application itself for a scope. Raises PreconditionFailed, Unavailable."""

    async def invalidate(self, account: Account, token: AccessToken) -> bool:
        """Forget a token that Amazon refused, everywhere, if it is still the current one; return whether to call again.

        False where the token came of such a renewal itself, a moment ago.
        """

    async def invalidate_grantless(self, account: Account, scope: str, token: AccessToken) -> bool:
        """Forget an application's own token that Amazon refused, everywhere; return whether another one can be had."""


class Credentials(Protocol):
    """AWS credentials of roles."""

    async def get(self, account: Account) -> AwsCredentials:
        """Return credentials that live for a minute at least. Raises RoleRejected, Unavailable."""

    async def invalidate(self, account: Account, credentials: AwsCredentials) -> bool:
        """Forget credentials that Amazon refused, everywhere, if they are still the current ones; return as for tokens."""
