"""What the rotation domain needs: what is stored of applications and accounts, and which webhook messages were seen."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from pydantic import SecretStr

from sellergate_token.ports import LwaClient


@dataclass(frozen=True, slots=True)
class StoredApplication:
    """What is known of an application without opening a secret. Times are aware; None: unknown."""

    application_id: str
    secret_expire_time: datetime | None
    previous_secret_expire_time: datetime | None
    secret_issue_time: datetime | None = None
    """When Amazon published the newest notification of a secret that was stored."""


@dataclass(frozen=True, slots=True)
class StoredAccount:
    """What is known of an account without opening a secret, whatever its state."""

    account_id: str
    application_id: str
    revision: int


class Stored(Protocol):
    """The account service, as rotations see it. All raise NotFound, Unavailable, OutOfTime."""

    async def application(self, application_id: str) -> StoredApplication:
        """Return an application."""

    async def application_of_client(self, client_id: SecretStr) -> StoredApplication:
        """Return the operator's application of an LWA client."""

    async def client(self, application_id: str) -> LwaClient:
        """Open an application's client id and secrets; the previous one only while Amazon accepts it."""

    async def account(self, account_id: str) -> StoredAccount:
        """Return an account."""

    async def store_client_secret(
        self,
        application_id: str,
        client_secret: SecretStr,
        until: datetime | None,
        old_until: datetime | None,
        issue_time: datetime | None,
    ) -> bool:
        """Store a new secret durably; the present one becomes the previous one until `old_until` (None: for 7 days).

        Return False where Amazon issued the present one later, which then stays.
        """

    async def store_refresh_token(
        self, account: StoredAccount, refresh_token: SecretStr, consent_until: datetime | None
    ) -> bool:
        """Store a refresh token durably; False when it was the stored one. Raises Conflict when the account has moved on."""

    async def store_secret_expiry(self, application_id: str, until: datetime) -> None:
        """Store when the present secret ends."""


class SeenMessages(Protocol):
    """The webhook messages of the last minutes, shared by all replicas."""

    async def claim(self, digest: str) -> bool:
        """Remember a message; False when it was remembered already. Raises Unavailable: nothing passes unremembered."""

    async def release(self, digest: str) -> None:
        """Forget a message that was not carried out, so that it may be sent again."""
