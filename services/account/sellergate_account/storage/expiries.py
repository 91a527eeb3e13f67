"""The ends of client secrets and authorizations on SQLAlchemy: two statements each, and no secret is opened."""

from datetime import datetime

from sqlalchemy import Column, ColumnElement, Select, Table, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from sellergate_account.model import Endings, State
from sellergate_account.storage.tables import AccountRecord, ApplicationRecord

_ACCOUNTS: Table = AccountRecord.metadata.tables[AccountRecord.__tablename__]
_APPLICATIONS: Table = ApplicationRecord.metadata.tables[ApplicationRecord.__tablename__]


class SqlExpiries:
    """The ends of client secrets and authorizations in one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def client_secrets(self, limits: tuple[datetime, ...], most: int) -> Endings:
        """Return the ends of client secrets; of the single ones, the operator's applications come first."""
        end = _APPLICATIONS.c.secret_expire_time
        single = (
            select(_APPLICATIONS.c.application_id, end)
            .where(end.is_not(None))
            .order_by(_APPLICATIONS.c.owner_user_id != "", end)
        )
        return await self._endings(end, _APPLICATIONS.c.application_id.is_not(None), limits, single.limit(most))

    async def authorizations(self, limits: tuple[datetime, ...], near: datetime, most: int) -> Endings:
        """Return the ends of active accounts' authorizations."""
        end, active = _ACCOUNTS.c.authorization_expire_time, _ACCOUNTS.c.state == State.ACTIVE.value
        single = select(_ACCOUNTS.c.account_id, end).where(active, end < near).order_by(end)
        return await self._endings(end, active, limits, single.limit(most))

    async def _endings(
        self,
        end: Column[datetime],
        counted: ColumnElement[bool],
        limits: tuple[datetime, ...],
        single: Select[str, datetime],
    ) -> Endings:
        counts = [func.count().filter(end < limit) for limit in limits]
        query = select(func.count().filter(end.is_(None)), *counts).where(counted)
        unknown, *found = (await self._connection.execute(query)).one()
        rows = (await self._connection.execute(single)).all()
        return Endings(dict(zip(limits, found, strict=True)), {row[0]: row[1] for row in rows}, unknown)
