"""Ports of the rotation domain: stored applications and accounts, and the webhook messages that were accepted."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from pydantic import SecretStr

from sellergate_token.ports import LwaClient


@dataclass(frozen=True, slots=True)
class StoredApplication:
    """An application without its secrets. Times have a time zone; None: unknown."""

    application_id: str
    secret_expire_time: datetime | None
    previous_secret_expire_time: datetime | None
    secret_issue_time: datetime | None = None
    """The time at which Amazon published the notification of the newest stored secret."""


@dataclass(frozen=True, slots=True)
class StoredAccount:
    """An account in any state, without its secrets."""

    account_id: str
    application_id: str
    revision: int


class Stored(Protocol):
    """The part of the account service that rotations use. All methods raise NotFound, Unavailable, OutOfTime."""

    async def application(self, application_id: str) -> StoredApplication:
        """Return an application."""

    async def application_of_client(self, client_id: SecretStr) -> StoredApplication:
        """Return the operator's application of an LWA client."""

    async def client(self, application_id: str) -> LwaClient:
        """Return an application's client id and secrets, the previous secret only while Amazon accepts it."""

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
        """Store a new secret durably. The present one becomes the previous one until `old_until` (None: for 7 days).

        Return False, without a change, if Amazon issued the present secret later.
        """

    async def store_refresh_token(
        self, account: StoredAccount, refresh_token: SecretStr, consent_until: datetime | None
    ) -> bool:
        """Store a refresh token durably. Return False if it equals the stored one. Raises Conflict for a changed account."""

    async def store_secret_expiry(self, application_id: str, until: datetime) -> None:
        """Store the time at which the present secret ends."""


class SeenMessages(Protocol):
    """A record of the webhook messages of the last minutes, shared by all replicas."""

    async def claim(self, digest: str) -> bool:
        """Record a message. Return False if it was recorded before. Raises Unavailable if it cannot be recorded."""

    async def release(self, digest: str) -> None:
        """Delete the record of a message that was not applied, so that it may be sent again."""
