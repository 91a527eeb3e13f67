"""What the account domain needs: the store, the vault and the announcer behind it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

from pydantic import SecretStr
from sellergate_common.errors import PreconditionFailed, Reason

from sellergate_account.model import (
    Account,
    Application,
    ApplicationSecrets,
    AuditEvent,
    Batch,
    ChainHead,
    ClientPage,
    Cursor,
    DropInClient,
    Filter,
    FirstResponse,
    KeyedRequest,
    StoredRow,
)


class DuplicateKey(Exception):
    """Another transaction was first, with the same key or in a deadlock; the work is to be done again from the start."""


class DecryptionError(PreconditionFailed):
    """A stored secret of `row` ("accounts/<id>") does not open: its key is missing, or it was changed."""

    def __init__(self, row: str) -> None:
        super().__init__(
            "A stored secret cannot be opened: its key is missing, or it was changed. Bring the key back into the ring, or"
            " store the secret again.",
            reason=Reason.SECRET_UNREADABLE,
            metadata={"row": row},
        )


class NotAuthentic(PreconditionFailed):
    """A stored `row` ("accounts/<id>") was written by other means than this service with its keys; nothing is done with it."""

    def __init__(self, row: str) -> None:
        super().__init__(
            "A stored row was changed outside of Sellergate, or its key is missing; nothing is done with it. An operator finds"
            " out what happened (`sellergate audit verify`) and puts the row back.",
            reason=Reason.ROW_NOT_AUTHENTIC,
            metadata={"row": row},
        )


class UserLimitReached(PreconditionFailed):
    """A user has as many of a kind ("accounts") as one user may have."""

    def __init__(self, kind: str, most: int) -> None:
        super().__init__(
            f"The user has {most} {kind}, the most for one user. Remove some that are not needed, or ask an operator to raise"
            f" SELLERGATE_{kind.upper()}_PER_USER.",
            reason=Reason.USER_LIMIT_REACHED,
            metadata={"limit": kind, "most": str(most)},
        )


class KeysUsedUp(PreconditionFailed):
    """A user has named as many requests within a day as are kept for one user."""

    def __init__(self, most: int) -> None:
        super().__init__(
            f"The user has sent {most} requests with an idempotency_key within 24 hours, as many as are kept for one user; nothing"
            " was changed. Repeats of those return their responses. Send this request without a key, or again when the oldest keys"
            " are a day old.",
            reason=Reason.USER_LIMIT_REACHED,
            metadata={"limit": "idempotency_keys", "most": str(most)},
        )


class InUse(Exception):
    """Something else refers to the row that was to be removed."""


class AuditLog(Protocol):
    """The audit log in one transaction."""

    async def head(self, chain: str) -> ChainHead:
        """Return a chain's end; until the transaction's own end nobody else appends to it."""

    async def append(self, event: AuditEvent, head: ChainHead) -> None:
        """Store an event and the chain's new end. Raises DuplicateKey."""

    async def archive_chain(self, account_id: str) -> None:
        """Keep the end of an account's chain beyond the account, which is about to be removed."""

    async def resume_chain(self, account_id: str) -> None:
        """Give a new account the end of the chain that an account of the same id has left, if there was one."""

    async def heads(self, living: bool, after: str, limit: int) -> Sequence[tuple[str, ChainHead]]:
        """Return the next chains by id: those of accounts, or those without one (the global one is the first of these)."""

    def events(self, chains: Sequence[str]) -> AsyncIterator[AuditEvent]:
        """Yield all events of some chains, chain by chain in order."""

    async def page(self, chain: str, after: int, limit: int) -> Sequence[AuditEvent]:
        """Return at most `limit` events of a chain, beginning after a sequence number."""

    async def orphan_chains(self, limit: int) -> Sequence[str]:
        """Return chains that have events and no end."""

    async def macs(self, events: Sequence[tuple[str, int]]) -> Mapping[tuple[str, int], str]:
        """Return the macs of those events that are there, by chain and number."""


class UnitOfWork(Protocol):
    """One transaction. What was read in it stays as it is until its end.

    Every method that reads a row raises NotAuthentic where it was not written by this service; lists leave such rows out.
    """

    @property
    def audit_log(self) -> AuditLog:
        """The audit log."""

    @property
    def clients(self) -> "ClientRows":
        """The drop-in clients."""

    @property
    def requests(self) -> "KeyedRequests":
        """The requests that their callers have named."""

    def stored_rows(self) -> AsyncIterator[StoredRow]:
        """Yield all rows that have a MAC, table by table, also those whose MAC does not fit."""

    async def account(self, account_id: str) -> Account | None:
        """Return the account with this id."""

    async def account_of_seller(self, user_id: str, amazon_seller_id: str, marketplace: str) -> Account | None:
        """Return the account with this natural key."""

    async def accounts(self, narrowed: Filter, after: Cursor | None, limit: int) -> Sequence[Account]:
        """Return at most `limit` accounts in order, beginning after a place."""

    async def accounts_held(self, user_id: str, most: int) -> int:
        """Return how many accounts a user has; at `most` the count ends."""

    async def applications_held(self, user_id: str, most: int) -> int:
        """Return how many applications a user owns; at `most` the count ends."""

    async def add_account(self, account: Account, refresh_token: SecretStr) -> None:
        """Store a new account. Raises DuplicateKey."""

    async def save_account(self, account: Account, refresh_token: SecretStr | None) -> None:
        """Store a changed account; None keeps its refresh token.

        Raises DecryptionError when that must be sealed again and cannot.
        """

    async def remove_account(self, account_id: str) -> None:
        """Remove an account and its secret."""

    async def refresh_token(self, account: Account) -> SecretStr:
        """Open the account's refresh token. Raises DecryptionError."""

    async def application(self, application_id: str) -> Application | None:
        """Return the application with this id."""

    async def application_of_client(self, owner_user_id: str, client_id: SecretStr) -> Application | None:
        """Return the owner's application of this LWA client."""

    async def applications(
        self, owners: Sequence[str] | None, after: Cursor | None, limit: int
    ) -> Sequence[Application]:
        """Return at most `limit` applications in order, beginning after a place; only those of `owners`, unless None."""

    async def remove_application(self, application_id: str) -> None:
        """Remove an application and its secrets. Raises InUse when an account refers to it."""

    async def add_application(self, application: Application, secrets: ApplicationSecrets) -> None:
        """Store a new application. Raises DuplicateKey."""

    async def save_application(self, application: Application, secrets: ApplicationSecrets | None) -> None:
        """Store a changed application; None keeps its secrets, and its revision must be the same then."""

    async def application_secrets(self, application: Application) -> ApplicationSecrets:
        """Open the application's secrets. Raises DecryptionError."""

    async def external_id(self, user_id: str, proposed: str) -> str:
        """Return the user's external id, which is `proposed` when there was none. Raises DuplicateKey."""


class Store(Protocol):
    """Where accounts are kept."""

    def reading(self) -> AbstractAsyncContextManager[UnitOfWork]:
        """Begin a transaction that only reads."""

    def writing(self) -> AbstractAsyncContextManager[UnitOfWork]:
        """Begin a transaction that commits at its end, or leaves everything as it was when anything is raised in it.

        Raises DuplicateKey, Unavailable (nothing was stored), and OutcomeUnknown when COMMIT was not confirmed.
        """


class ClientRows(Protocol):
    """The drop-in clients in one transaction. Secrets and handles are known here by their SHA-256 alone."""

    async def add(self, client: DropInClient, secret_digest: str, handle_digests: Mapping[str, str]) -> None:
        """Store a client with its handles by account."""

    async def client(self, client_id: str) -> DropInClient | None:
        """Return a client."""

    async def clients(self, user_id: str, after: Cursor | None, limit: int) -> ClientPage:
        """Return at most `limit` clients in order, beginning after a place; of one user, or with an empty id of all.

        A page has fewer, one at least, where they have very many accounts.
        """

    async def held(self, user_id: str, most: int) -> int:
        """Return how many clients a user has that are not revoked; at `most` the count ends."""

    async def forget_revoked(self, user_id: str, kept: int) -> Sequence[str]:
        """Remove a user's revoked clients but for the `kept` newest ones; return the ids of those removed, 100 at most."""

    async def revoke(self, client_id: str, now: datetime) -> bool:
        """End a client; return whether it had not ended before."""

    async def secret_digest(self, client_id: str) -> str:
        """Return the digest of a client's secret; empty when there is no such client."""

    async def account_of_handle(self, client_id: str, handle_digest: str) -> str:
        """Return the account that a client's handle opens; empty when the client has no such handle."""


class KeyedRequests(Protocol):
    """The requests that their callers have named, in one transaction."""

    async def claim(self, request: KeyedRequest, now: datetime, since: datetime) -> FirstResponse | None:
        """Return the response that the key's request got after `since`; None: the key is this request's from now on.

        Another transaction with the same key waits for the end of this one. Raises DuplicateKey when another was first, and
        DecryptionError.
        """

    async def has_room(self, request: KeyedRequest, since: datetime, most: int) -> bool:
        """Return whether the request's user has at most `most` requests, this one included.

        Where there are more, the user's requests from before `since` are removed first, the oldest 500 of them.
        """

    async def respond(self, request: KeyedRequest, response: bytes) -> None:
        """Store the response of a request whose key was claimed."""

    async def forget(self, before: datetime, limit: int) -> int:
        """Remove at most `limit` requests from before a time; return how many there were."""


class Vault(Protocol):
    """All rows of the database with sealed values or a MAC, table by table."""

    tables: Sequence[str]

    async def count(self, table: str) -> int:
        """Return how many rows a table has."""

    async def rewrap(self, table: str, after_id: str, size: int) -> Batch:
        """Seal the values and make the MACs of the next rows under the newest key, in one transaction.

        Rows that do not open, or whose MAC does not fit, stay as they are.
        """


class ChangePublisher(Protocol):
    """Tells the other services what changed; copies elsewhere live 5 s at most, whether it is heard or not."""

    async def publish(self, account_id: str) -> None:
        """Announce that this account changed ("*": all may have). Raises nothing: the change is stored already."""
