"""The ports for access tokens and AWS credentials."""

from dataclasses import dataclass
from typing import Protocol

from sellergate_gateway.model import AccessToken, Account, AwsCredentials


@dataclass(frozen=True, slots=True)
class Verified:
    """The result of a verification: whether LWA issued the token now, else its age in seconds."""

    exchanged: bool
    age: float


class Tokens(Protocol):
    """Access tokens."""

    async def get(self, account: Account) -> AccessToken:
        """Return a token that lives for at least a minute. Raises PreconditionFailed, Unavailable."""

    async def verify(self, account: Account) -> Verified:
        """Let the refresh token be exchanged now, at most once in 60 s. Raises PreconditionFailed, Unavailable."""

    async def grantless(self, account: Account, scope: str) -> AccessToken:
        """Return a token of the account's application itself for a scope. Raises PreconditionFailed, Unavailable."""

    async def invalidate(self, account: Account, token: AccessToken) -> bool:
        """Drop a token that Amazon refused for all replicas, if it is the current one. Return whether to call again.

        False if the token itself came from a recent renewal.
        """

    async def invalidate_grantless(self, account: Account, scope: str, token: AccessToken) -> bool:
        """Drop an application's own token that Amazon refused, for all replicas. Return whether to call again."""


class Credentials(Protocol):
    """A source of AWS credentials of roles."""

    async def get(self, account: Account) -> AwsCredentials:
        """Return credentials that live for at least a minute. Raises RoleRejected, Unavailable."""

    async def invalidate(self, account: Account, credentials: AwsCredentials) -> bool:
        """Drop credentials that Amazon refused for all replicas, if they are the current ones. Return as for tokens."""
