"""What the account domain keeps and needs: its records, and the store and announcer behind them."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from pydantic import SecretStr


class State(StrEnum):
    """Whether an account can be used."""

    ACTIVE = "ACTIVE"
    INACTIVE = "INACTIVE"
    AUTHORIZATION_REVOKED = "AUTHORIZATION_REVOKED"


class Signing(StrEnum):
    """Whether calls are signed with SigV4; AUTO: when the account has a role."""

    AUTO = "AUTO"
    NONE = "NONE"
    SIGV4 = "SIGV4"


@dataclass(frozen=True, slots=True)
class Account:
    """One connected seller, without its secret. Times are aware and in UTC.

    `revision` grows with every change of a credential, `version` with every change at all.
    """

    account_id: str
    user_id: str
    application_id: str
    amazon_seller_id: str
    marketplace: str
    marketplace_ids: tuple[str, ...]
    region: str
    iam_role_arn: str
    external_id: str
    signing: Signing
    sandbox: bool
    state: State
    refresh_token_set: bool
    authorization_expire_time: datetime | None
    revision: int
    version: int
    create_time: datetime
    update_time: datetime


@dataclass(frozen=True, slots=True)
class Application:
    """One LWA client, without its secrets. `owner_user_id` is empty for the operator's."""

    application_id: str
    owner_user_id: str
    client_id_hint: str
    revision: int
    version: int
    create_time: datetime
    update_time: datetime
    name: str = ""
    spapi_application_id: str = ""
    redirect_uris: tuple[str, ...] = ()
    draft: bool = False
    secret_expire_time: datetime | None = None
    previous_secret_expire_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class ApplicationSecrets:
    """An LWA client in the clear."""

    client_id: SecretStr
    client_secret: SecretStr
    previous_client_secret: SecretStr | None = None


@dataclass(frozen=True, slots=True)
class DropInClient:
    """Credentials of our own for an SP-API SDK, without their secrets. `account_ids` are those that a handle opens."""

    client_id: str
    user_id: str
    name: str
    account_ids: tuple[str, ...]
    create_time: datetime
    revoke_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a list, which is ordered by time of creation and id."""

    create_time: datetime
    id: str


@dataclass(frozen=True, slots=True)
class Filter:
    """What a list is narrowed to; empty fields narrow nothing."""

    user_id: str = ""
    states: tuple[State, ...] = ()
    marketplaces: tuple[str, ...] = ()


class DuplicateKey(Exception):
    """Another transaction stored the same key first; the work is to be done again from the start."""


class InUse(Exception):
    """Something else refers to the row that was to be removed."""


class Work(Protocol):
    """One transaction. What was read in it stays as it is until its end."""

    async def account(self, account_id: str) -> Account | None:
        """Return the account with this id."""

    async def account_of_seller(self, user_id: str, amazon_seller_id: str, marketplace: str) -> Account | None:
        """Return the account with this natural key."""

    async def accounts(self, narrowed: Filter, after: Place | None, limit: int) -> Sequence[Account]:
        """Return at most `limit` accounts in order, beginning after a place."""

    async def add_account(self, account: Account, refresh_token: SecretStr) -> None:
        """Store a new account. Raises DuplicateKey."""

    async def save_account(self, account: Account, refresh_token: SecretStr | None) -> None:
        """Store a changed account; None keeps its refresh token."""

    async def remove_account(self, account_id: str) -> None:
        """Remove an account and its secret."""

    async def refresh_token(self, account: Account) -> SecretStr:
        """Open the account's refresh token. Raises SellergateError when it cannot be opened."""

    async def application(self, application_id: str) -> Application | None:
        """Return the application with this id."""

    async def application_of_client(self, owner_user_id: str, client_id: SecretStr) -> Application | None:
        """Return the owner's application of this LWA client."""

    async def applications(
        self, owners: Sequence[str] | None, after: Place | None, limit: int
    ) -> Sequence[Application]:
        """Return at most `limit` applications in order, beginning after a place; only those of `owners`, unless None."""

    async def remove_application(self, application_id: str) -> None:
        """Remove an application and its secrets. Raises InUse when an account refers to it."""

    async def add_application(self, application: Application, secrets: ApplicationSecrets) -> None:
        """Store a new application. Raises DuplicateKey."""

    async def save_application(self, application: Application, secrets: ApplicationSecrets) -> None:
        """Store a changed application with its secrets."""

    async def application_secrets(self, application: Application) -> ApplicationSecrets:
        """Open the application's secrets. Raises SellergateError when they cannot be opened."""

    async def external_id(self, user_id: str, proposed: str) -> str:
        """Return the user's external id, which is `proposed` when there was none. Raises DuplicateKey."""


class Store(Protocol):
    """Where accounts are kept."""

    def reading(self) -> AbstractAsyncContextManager[Work]:
        """Begin a transaction that only reads."""

    def writing(self) -> AbstractAsyncContextManager[Work]:
        """Begin a transaction that commits at its end, or leaves everything as it was when anything is raised."""


class ClientStore(Protocol):
    """Where drop-in clients are kept. Secrets and handles are known here by their SHA-256 alone; each call is one transaction."""

    async def add(self, client: DropInClient, secret_digest: str, handle_digests: Mapping[str, str]) -> None:
        """Store a client with its handles by account. Raises NotFound when an account vanished meanwhile."""

    async def client(self, client_id: str) -> DropInClient | None:
        """Return a client."""

    async def clients(self, user_id: str, after: Place | None, limit: int) -> Sequence[DropInClient]:
        """Return at most `limit` clients in order, beginning after a place; of one user, or with an empty id of all."""

    async def revoke(self, client_id: str, now: datetime) -> None:
        """End a client, if it has not ended."""

    async def secret_digest(self, client_id: str) -> str:
        """Return the digest of a client's secret; empty when there is no such client."""

    async def account_of_handle(self, client_id: str, handle_digest: str) -> str:
        """Return the account that a client's handle opens; empty when the client has no such handle."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What was done to a batch of rows. `last_id` is where the next one begins after; empty: there are no more rows."""

    rewrapped: int
    skipped: int
    unopened_ids: tuple[str, ...]
    last_id: str


class Vault(Protocol):
    """All sealed values of the database, table by table."""

    tables: Sequence[str]

    async def count(self, table: str) -> int:
        """Return how many rows of a table hold sealed values."""

    async def rewrap(self, table: str, after_id: str, size: int) -> Batch:
        """Seal the values of the next rows under the newest key, in one transaction; rows that do not open stay as they are."""


class Announcer(Protocol):
    """Tells the other services what changed; copies elsewhere live 5 s at most, whether it is heard or not."""

    async def changed(self, account_id: str) -> None:
        """Announce that this account changed ("*": all may have)."""
