"""The repositories of one transaction.

Each method that reads a row raises NotAuthentic where this service did not write the row; lists leave such rows out.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from pydantic import SecretStr

from sellergate_account.model import (
    Account,
    Application,
    ApplicationSecrets,
    ClientPage,
    Cursor,
    DropInClient,
    Endings,
    Filter,
    FirstResponse,
    KeyedRequest,
)


class AccountRepository(Protocol):
    """The accounts, each with its refresh token."""

    async def get(self, account_id: str, *, with_application: bool = False) -> Account | None:
        """Return the account with this id; `with_application` reads its application by the same statement, for a later `get`."""

    async def find(self, user_id: str, amazon_seller_id: str, marketplace: str) -> Account | None:
        """Return the account with this natural key."""

    async def find_holder(self, user_id: str, external_ref: str) -> str | None:
        """Return the id of the user's account that holds a reference, also where this service did not write its row."""

    async def list(self, narrowed: Filter, after: Cursor | None, limit: int) -> Sequence[Account]:
        """Return at most `limit` accounts in order, beginning after a cursor."""

    async def count(self, user_id: str, most: int) -> int:
        """Return how many accounts a user has; the count ends at `most`."""

    async def add(self, account: Account, refresh_token: SecretStr) -> None:
        """Store a new account. Raises DuplicateKey."""

    async def save(self, account: Account, refresh_token: SecretStr | None) -> None:
        """Store a changed account; None keeps its refresh token.

        Raises DecryptionError where the kept token must be stored for a new revision and cannot be opened.
        """

    async def remove(self, account_id: str) -> None:
        """Remove an account and its refresh token."""

    async def read_refresh_token(self, account: Account) -> SecretStr:
        """Return the account's refresh token. Raises DecryptionError."""


class ApplicationRepository(Protocol):
    """The applications, each with its LWA client."""

    async def get(self, application_id: str) -> Application | None:
        """Return the application with this id."""

    async def find(self, owner_user_id: str, client_id: SecretStr) -> Application | None:
        """Return the owner's application of this LWA client."""

    async def list(self, owners: Sequence[str] | None, after: Cursor | None, limit: int) -> Sequence[Application]:
        """Return at most `limit` applications in order, beginning after a cursor; only those of `owners`, unless None."""

    async def count(self, user_id: str, most: int) -> int:
        """Return how many applications a user owns; the count ends at `most`."""

    async def add(self, application: Application, secrets: ApplicationSecrets) -> None:
        """Store a new application. Raises DuplicateKey."""

    async def save(self, application: Application, secrets: ApplicationSecrets | None) -> None:
        """Store a changed application; None keeps its secrets, which requires the same revision."""

    async def remove(self, application_id: str) -> None:
        """Remove an application and its secrets. Raises InUse when an account refers to it."""

    async def read_secrets(self, application: Application) -> ApplicationSecrets:
        """Return the application's secrets. Raises DecryptionError."""


class ExternalIds(Protocol):
    """The external ids of users, which sellers' AWS roles require."""

    async def get_or_add(self, user_id: str, proposed: str) -> str:
        """Return the user's external id; a user without one gets `proposed`, which the end of the transaction stores.

        That end raises DuplicateKey where another transaction has stored one.
        """


class ClientRepository(Protocol):
    """The drop-in clients. Their secrets and drop-in refresh tokens are stored as SHA-256 digests only."""

    async def add(self, client: DropInClient, secret_digest: str, handle_digests: Mapping[str, str]) -> None:
        """Store a client with the digests of its drop-in refresh tokens by account."""

    async def get(self, client_id: str) -> DropInClient | None:
        """Return a client."""

    async def list(self, user_id: str, after: Cursor | None, limit: int) -> ClientPage:
        """Return at most `limit` clients in order, beginning after a cursor; of one user, or with an empty id of all.

        A page has fewer, one at least, where the clients have very many accounts.
        """

    async def count(self, user_id: str, most: int) -> int:
        """Return how many clients a user has that are not revoked; the count ends at `most`."""

    async def remove_revoked(self, user_id: str, kept: int) -> Sequence[str]:
        """Remove a user's revoked clients except the `kept` newest ones; return the ids of those removed, 100 at most."""

    async def revoke(self, client_id: str, now: datetime) -> bool:
        """Revoke a client; return whether it was not revoked before."""

    async def read_secret_digest(self, client_id: str) -> str:
        """Return the digest of a client's secret; empty when there is no such client."""

    async def find_account(self, client_id: str, handle_digest: str) -> str:
        """Return the account of a client's drop-in refresh token; empty when the client has no such token."""


class KeyedRequests(Protocol):
    """The writing requests that have an idempotency key."""

    async def claim(self, request: KeyedRequest, now: datetime, since: datetime) -> FirstResponse | None:
        """Return the response that the key's request got after `since`; None: the key belongs to this request from now on.

        Another transaction with the same key waits for the end of this one. Raises DuplicateKey when another transaction was first,
        and DecryptionError.
        """

    async def has_room(self, request: KeyedRequest, since: datetime, most: int) -> bool:
        """Return whether the request's user has at most `most` requests, this one included.

        Where there are more, the user's requests from before `since` are removed first, the oldest 500 of them.
        """

    async def respond(self, request: KeyedRequest, response: bytes) -> None:
        """Store the response of a request whose key was claimed."""

    async def remove(self, before: datetime, limit: int) -> int:
        """Remove at most `limit` requests from before a time; return how many were removed."""


class Expiries(Protocol):
    """The ends of client secrets and authorizations."""

    async def client_secrets(self, limits: tuple[datetime, ...], most: int) -> Endings:
        """Return the ends of client secrets; at most `most` are listed, the operator's applications first, then the soonest."""

    async def authorizations(self, limits: tuple[datetime, ...], near: datetime, most: int) -> Endings:
        """Return the ends of active accounts' authorizations; those before `near` are listed, at most `most`."""
