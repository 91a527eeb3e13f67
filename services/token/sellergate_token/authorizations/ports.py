"""Ports of authorizations: applications, a store of pending authorizations, and a store of accounts."""

from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from pydantic import SecretStr

from sellergate_token.ports import LwaClient

Account_co = TypeVar("Account_co", covariant=True)


@dataclass(frozen=True, slots=True)
class ApplicationView:
    """An application without its secrets. `owner_user_id` is empty for one that all users share."""

    application_id: str
    owner_user_id: str
    spapi_application_id: str
    redirect_uris: tuple[str, ...]
    draft: bool


@dataclass(frozen=True, slots=True)
class Pending:
    """An authorization that was started. `expire_time` is in seconds since the epoch.

    `nonce_digest` is the SHA-256 of the browser's nonce in hex. `selling_partner_id` is the seller ID that the Appstore sent, or
    empty.
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
class Refusal:
    """An error that a repeat would get again: a reason, a message, and violations as fields and descriptions."""

    reason: str
    message: str
    violations: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of a callback. Until `busy_until`, in seconds since the epoch, one caller works on it.

    `code_digest` is the SHA-256 of the code in hex. `refresh_token` came for the code and has not been used yet; `account_id` or
    `refusal` is the outcome.
    """

    pending: Pending
    selling_partner_id: str
    code_digest: str
    busy_until: float = 0.0
    refresh_token: SecretStr | None = None
    account_id: str = ""
    refusal: Refusal | None = None


@dataclass(frozen=True, slots=True)
class StoredAuthorization:
    """A stored authorization. `mark` identifies this version of it."""

    pending: Pending
    progress: Progress | None
    mark: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Connection:
    """A seller that has authorized an application for a user. `authorization_expire_time` is in seconds since the epoch."""

    user_id: str
    selling_partner_id: str
    marketplace: str
    application_id: str
    refresh_token: SecretStr
    authorization_expire_time: float


class Applications(Protocol):
    """The applications of the account service."""

    async def view(self, application_id: str) -> ApplicationView:
        """Return an application. Raises NotFound, Unavailable."""

    async def client(self, application_id: str) -> LwaClient:
        """Return an application's LWA client. Raises NotFound, PreconditionFailed, Unavailable."""


class Sellers(Protocol[Account_co]):
    """The accounts of the account service."""

    async def connect(self, connection: Connection) -> tuple[str, Account_co]:
        """Store a seller's account for its user, or update the user's existing one. Return the account and its id.

        Raises InvalidRequest, NotFound, Unavailable.
        """

    async def account(self, account_id: str) -> Account_co:
        """Return a stored account. Raises NotFound, Unavailable."""


class States(Protocol):
    """A store of authorizations by their state, shared by all replicas."""

    async def keep(self, state: SecretStr, pending: Pending, seconds: float) -> None:
        """Store a pending authorization for `seconds`. Raises Unavailable, since one that is not stored cannot be completed."""

    async def find(self, state: SecretStr) -> StoredAuthorization | None:
        """Return the stored authorization without a change. Raises Unavailable."""

    async def advance(
        self, state: SecretStr, kept: StoredAuthorization, progress: Progress, seconds: float
    ) -> StoredAuthorization | None:
        """Replace the found version by `progress`, for `seconds`. Return None if it has changed since.

        Of several callers that found the same version, one advances. Raises Unavailable.
        """
