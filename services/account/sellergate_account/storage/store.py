"""The store on SQLAlchemy: transactions with their repositories, and their effects after COMMIT."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass

from sellergate_common.crypto.sealing import KeyRing
from sellergate_common.observability.logs import get_logger
from sqlalchemy.ext.asyncio import AsyncConnection

from sellergate_account.model import StoredRow
from sellergate_account.ports.secret_store import SecretStore
from sellergate_account.ports.unit_of_work import UnitOfWork
from sellergate_account.secrets.sealed_columns import SealedColumns
from sellergate_account.storage.accounts import SqlAccounts
from sellergate_account.storage.applications import SqlApplications
from sellergate_account.storage.audit_log import SqlAuditLog
from sellergate_account.storage.clients import SqlClients
from sellergate_account.storage.connections.statements import session_on
from sellergate_account.storage.database import Database
from sellergate_account.storage.expiries import SqlExpiries
from sellergate_account.storage.keyed_requests import SqlKeyedRequests
from sellergate_account.storage.row_macs import TABLES, RowMacs
from sellergate_account.storage.work.effects import Effects
from sellergate_account.storage.work.rows import Rows
from sellergate_account.storage.work.users import SqlExternalIds, Users


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts that all transactions of a store share. `responses` keeps responses of keyed requests, always in the database."""

    macs: RowMacs
    secrets: SecretStore
    responses: SealedColumns
    index_key: bytes


class SqlStore:
    """The store. `index_key` makes blind indexes; with `adopts`, rows whose MAC is missing or wrong are accepted.

    `secrets` keeps the secrets of accounts and applications; None seals them into their rows' columns.
    """

    def __init__(
        self,
        database: Database,
        ring: KeyRing,
        index_key: bytes,
        *,
        adopts: bool = False,
        secrets: SecretStore | None = None,
    ) -> None:
        self._database = database
        sealed = SealedColumns(ring)
        self._parts = Parts(RowMacs(ring, adopts=adopts), secrets or sealed, sealed, index_key)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[UnitOfWork]:
        """Begin a transaction that only reads."""
        async with self._database.reading() as connection:
            yield SqlUnitOfWork(connection, self._parts, None)

    @asynccontextmanager
    async def reading_once(self) -> AsyncIterator[UnitOfWork]:
        """Begin to read by one statement, without a transaction."""
        async with self._database.reading_once() as connection:
            yield SqlUnitOfWork(connection, self._parts, None)

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[UnitOfWork]:
        """Begin a transaction; rows that it reads are locked until its end."""
        effects = Effects()
        async with self._database.writing() as connection:
            work = SqlUnitOfWork(connection, self._parts, effects)
            yield work
            await work.send()
        for anchor in effects.anchors:
            # The log is outside of the database, so that it reveals the later removal of an event (`audit verify --anchors`).
            get_logger().info("audit_anchor", **asdict(anchor))
        for ref, kept in effects.removed_secrets:
            await self._parts.secrets.delete(ref, kept)


class SqlUnitOfWork:
    """One transaction. `effects` collects its effects after COMMIT; None: it only reads.

    Changes of accounts, applications and the audit log are sent together at the end, each row once.
    """

    def __init__(self, connection: AsyncConnection, parts: Parts, effects: Effects | None) -> None:
        macs = parts.macs
        self._connection = connection
        self._macs = macs
        locks = effects is not None
        session = self._session = session_on(connection)
        self._applications = Rows(session, macs, TABLES["applications"], locks=locks)
        self._accounts = Rows(session, macs, TABLES["accounts"], locks=locks)
        users = Users(session)
        self.accounts = SqlAccounts(
            connection, session, macs, parts.secrets, self._accounts, self._applications, users, effects
        )
        self.applications = SqlApplications(
            connection, macs, parts.secrets, parts.index_key, self._applications, users, effects
        )
        self.external_ids = SqlExternalIds(macs, users)
        self.clients = SqlClients(connection, macs)
        self.audit_log = SqlAuditLog(connection, session, self._accounts, effects)
        self.keyed_requests = SqlKeyedRequests(connection, parts.responses, parts.index_key, macs)
        self.expiries = SqlExpiries(connection)

    async def send(self) -> None:
        """Send the changes so far to the database. Raises DuplicateKey, Unavailable."""
        # Accounts refer to applications, and must be there before their changes.
        parts = (self.external_ids, self._applications, self._accounts, self.audit_log)
        await self._session.execute([change for part in parts for change in part.take_changes()])

    def stored_rows(self) -> AsyncIterator[StoredRow]:
        """Yield all rows that have a MAC, table by table, including those whose MAC does not match."""
        return self._macs.rows(self._connection)
