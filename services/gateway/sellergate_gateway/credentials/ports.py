"""Where calls take access tokens and AWS credentials from."""

from typing import Protocol

from sellergate_gateway.model import AccessToken, Account, AwsCredentials


class Tokens(Protocol):
    """Access tokens."""

    async def get(self, account: Account) -> AccessToken:
        """Return a token that lives for a minute at least. Raises PreconditionFailed, Unavailable."""

    async def grantless(self, account: Account, scope: str) -> AccessToken:
        """Return a token of the account's application itself for a scope. Raises PreconditionFailed, Unavailable."""

    async def invalidate(self, account: Account, token: AccessToken) -> None:
        """Forget a token that Amazon refused, everywhere, if it is still the current one."""


class Credentials(Protocol):
    """AWS credentials of roles."""

    async def get(self, account: Account) -> AwsCredentials:
        """Return credentials that live for a minute at least. Raises RoleRejected, Unavailable."""

    async def invalidate(self, account: Account, credentials: AwsCredentials) -> None:
        """Forget credentials that Amazon refused, everywhere, if they are still the current ones."""
