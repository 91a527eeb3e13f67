"""What the account domain needs: the store, the vault and the announcer behind it."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

from pydantic import SecretStr

from sellergate_account.model import Account, Application, ApplicationSecrets, Batch, DropInClient, Filter, Place


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
