"""What an authorization needs: applications, a place for what was begun, and a place for the account that comes of it."""

from dataclasses import dataclass
from typing import Protocol, TypeVar

from pydantic import SecretStr

from sellergate_token.ports import LwaClient

Account_co = TypeVar("Account_co", covariant=True)


@dataclass(frozen=True, slots=True)
class ApplicationView:
    """What is known of an application without opening a secret. `owner_user_id` is empty for one that all users share."""

    application_id: str
    owner_user_id: str
    spapi_application_id: str
    redirect_uris: tuple[str, ...]
    draft: bool


@dataclass(frozen=True, slots=True)
class Pending:
    """An authorization that was begun. `expire_time` is in seconds since the epoch.

    `nonce_digest` is the SHA-256 of the browser's nonce in hex. `selling_partner_id` is the one that the Appstore named, or empty.
    """

    user_id: str
    application_id: str
    marketplace: str
    partner_type: str
    redirect_uri: str
    nonce_digest: str
    entry: str
    selling_partner_id: str
    expire_time: float


@dataclass(frozen=True, slots=True)
class Connection:
    """A seller who has authorized an application for a user. `authorization_expire_time` is in seconds since the epoch."""

    user_id: str
    selling_partner_id: str
    marketplace: str
    application_id: str
    refresh_token: SecretStr
    authorization_expire_time: float


class Applications(Protocol):
    """The applications, as the account service keeps them."""

    async def view(self, application_id: str) -> ApplicationView:
        """Return an application. Raises NotFound, Unavailable."""

    async def client(self, application_id: str) -> LwaClient:
        """Open an application's LWA client. Raises NotFound, PreconditionFailed, Unavailable."""


class Sellers(Protocol[Account_co]):
    """The accounts, as the account service keeps them."""

    async def connect(self, connection: Connection) -> Account_co:
        """Store a seller for its user, anew or over what that user has of it; return the account as it was stored.

        Raises InvalidRequest, NotFound, Unavailable.
        """


class States(Protocol):
    """Authorizations that were begun, by their state, shared by all replicas."""

    async def keep(self, state: SecretStr, pending: Pending, seconds: float) -> None:
        """Keep what was begun for `seconds`. Raises Unavailable: what is not kept cannot be completed."""

    async def take(self, state: SecretStr) -> Pending | None:
        """Return what was begun, to exactly one caller ever; None for all others. Raises Unavailable."""
