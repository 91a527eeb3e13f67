"""What the database has of a user: how many rows of each kind, and the external id, which sellers' AWS roles require."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import BindParameter, ScalarSelect, Table, bindparam, func, insert, select

from sellergate_account.storage.connections.statements import Change, Session, Statement
from sellergate_account.storage.row_macs import MAC, TABLES, RowMacs

_EXTERNAL_IDS = TABLES["external_ids"]
_USER: BindParameter[str] = bindparam("user")
_ADD = Statement(insert(_EXTERNAL_IDS))


def _count(table: Table, column: str) -> ScalarSelect[int]:
    return select(func.count()).select_from(table).where(table.c[column] == _USER).scalar_subquery()


def _of_external_id(column: str) -> ScalarSelect[Any]:
    return select(_EXTERNAL_IDS.c[column]).where(_EXTERNAL_IDS.c.user_id == _USER).scalar_subquery()


_READ = Statement(
    select(
        _count(TABLES["accounts"], "user_id"),
        _count(TABLES["applications"], "owner_user_id"),
        _of_external_id("external_id"),
        _of_external_id(MAC),
    )
)


@dataclass(slots=True)
class User:
    """A user. `external_id` is None where the user has none."""

    accounts: int
    applications: int
    external_id: str | None
    mac: str


class Users:
    """The users of one transaction, each read once; rows that the transaction adds later are counted by the repositories."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._read: dict[str, User] = {}

    def known(self, user_id: str) -> User | None:
        """Return a user that was read."""
        return self._read.get(user_id)

    async def get(self, user_id: str) -> User:
        """Return a user, whose external id is not checked yet."""
        if user_id not in self._read:
            self._read[user_id] = User(*(await self._session.one(_READ, {"user": user_id}) or ()))
        return self._read[user_id]


class SqlExternalIds:
    """The external ids in one transaction."""

    def __init__(self, macs: RowMacs, users: Users) -> None:
        self._macs = macs
        self._users = users
        self._added: list[Change] = []

    async def get_or_add(self, user_id: str, proposed: str) -> str:
        """Return the user's external id; a user without one gets `proposed`, which the end of the transaction stores.

        Raises NotAuthentic; the end of the transaction raises DuplicateKey where another one has stored an external id.
        """
        user = await self._users.get(user_id)
        if user.external_id is not None:
            self._macs.check(_EXTERNAL_IDS, {"user_id": user_id, "external_id": user.external_id, MAC: user.mac})
            return user.external_id
        row = self._macs.sign(_EXTERNAL_IDS, {"user_id": user_id, "external_id": proposed})
        self._added.append((_ADD, row))
        user.external_id, user.mac = proposed, row[MAC]
        return proposed

    def take_changes(self) -> list[Change]:
        """Return the statements that store the added external ids, which count as sent from here on."""
        added, self._added = self._added, []
        return added
