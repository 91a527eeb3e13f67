"""The port of transactions."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from sellergate_account.model import StoredRow
from sellergate_account.ports.audit_log import AuditLog
from sellergate_account.ports.repositories import (
    AccountRepository,
    ApplicationRepository,
    ClientRepository,
    Expiries,
    ExternalIds,
    KeyedRequests,
)


class UnitOfWork(Protocol):
    """One transaction. A row that was read in it stays the same until its end."""

    @property
    def accounts(self) -> AccountRepository:
        """The accounts."""

    @property
    def applications(self) -> ApplicationRepository:
        """The applications."""

    @property
    def external_ids(self) -> ExternalIds:
        """The external ids of users."""

    @property
    def clients(self) -> ClientRepository:
        """The drop-in clients."""

    @property
    def audit_log(self) -> AuditLog:
        """The audit log."""

    @property
    def keyed_requests(self) -> KeyedRequests:
        """The requests with an idempotency key."""

    @property
    def expiries(self) -> Expiries:
        """The ends of client secrets and authorizations."""

    async def send(self) -> None:
        """Send the changes so far to the database, which the end of the transaction does by itself.

        Raises DuplicateKey, Unavailable.
        """

    def stored_rows(self) -> AsyncIterator[StoredRow]:
        """Yield all rows that have a MAC, table by table, including those whose MAC does not match."""


class Store(Protocol):
    """The store of the account service."""

    def reading(self) -> AbstractAsyncContextManager[UnitOfWork]:
        """Begin a transaction that only reads. Raises Unavailable."""

    def reading_once(self) -> AbstractAsyncContextManager[UnitOfWork]:
        """Begin to read one row or one page, which costs less than a transaction. Raises Unavailable."""

    def writing(self) -> AbstractAsyncContextManager[UnitOfWork]:
        """Begin a transaction that commits at its end; an exception in it leaves everything as it was.

        Raises DuplicateKey, Unavailable (nothing was stored), and OutcomeUnknown when COMMIT was not confirmed.
        """
