"""The port of the store of sellers' and applications' secrets."""

from typing import Protocol

from pydantic import SecretStr

from sellergate_account.model import SecretRef


class SecretStore(Protocol):
    """The store of the secrets of accounts and applications.

    `write` returns the text that the secret's row keeps, in the row's transaction and under its MAC: the sealed value itself, or
    the name of one version in a store outside of the database. The row therefore decides which secret is the current one, and a
    transaction that is rolled back leaves the earlier secret as it was.
    """

    async def write(self, ref: SecretRef, secret: SecretStr) -> str:
        """Store a secret; return the text that its row keeps. Raises Unavailable."""

    async def read(self, ref: SecretRef, kept: str) -> SecretStr:
        """Return the secret that a row keeps. Raises DecryptionError, Unavailable."""

    async def rewrap(self, ref: SecretRef, kept: str) -> str | None:
        """Store a secret again under the newest key; return the row's new text, or None where nothing is to be done.

        Raises DecryptionError, Unavailable.
        """

    async def delete(self, ref: SecretRef, kept: str) -> None:
        """Delete a secret whose row was removed, after COMMIT. Raises nothing: the removal is final."""
