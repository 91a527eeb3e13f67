"""Takes accounts of a former system: each whole or not at all, and what is there already stays as it is."""

from dataclasses import dataclass, replace
from datetime import MAXYEAR
from enum import StrEnum

from pydantic import SecretStr
from sellergate_common.errors import InvalidRequest, NotFound, PreconditionFailed

from sellergate_account.accounts import ID, Accounts, Connection, Origin, check_marketplace_ids, marketplace_code
from sellergate_account.applications import Applications
from sellergate_account.model import Account
from sellergate_account.ports import Store, Unreadable, Work
from sellergate_account.retry import again

MAX_ROWS = 10_000
"""Rows in one stream; the report on them has to fit into one message."""
REFUSED = (InvalidRequest, NotFound, PreconditionFailed)
"""What is wrong with one row, and says nothing of the next."""
_Key = tuple[str, str, str]


class Outcome(StrEnum):
    """What became of a row."""

    CREATED = "created"
    UNCHANGED = "unchanged"


class _DryRun(Exception):
    """Ends a transaction so that nothing of it stays."""


@dataclass(frozen=True, slots=True)
class Row:
    """One account of a former system."""

    connection: Connection
    origin: Origin


class Import:
    """One run through the rows of a former system. A dry run does everything and keeps nothing."""

    def __init__(self, store: Store, accounts: Accounts, applications: Applications, *, dry_run: bool) -> None:
        self._store = store
        self._accounts = accounts
        self._applications = applications
        self._dry_run = dry_run
        # What a dry run has let pass, since it cannot find it in the store.
        self._ids: dict[_Key, str] = {}
        self._secrets: dict[tuple[str, SecretStr], SecretStr | None] = {}

    async def take(self, row: Row) -> tuple[Outcome, InvalidRequest | None]:
        """Store a row; return what became of it, and what deserves a look. Raises InvalidRequest that names the field."""
        if row.origin.account_id and not ID.fullmatch(row.origin.account_id):
            raise InvalidRequest.of_field("account_id", "must have 1 to 64 letters, digits, _ and -")
        if (
            row.origin.create_time and row.origin.create_time.year >= MAXYEAR
        ):  # the consent begins then and lasts a year
            raise InvalidRequest.of_field("create_time", f"must be before the year {MAXYEAR}")
        marketplace = marketplace_code(row.connection.marketplace, "marketplace")
        check_marketplace_ids(row.connection.marketplace_ids)
        row = replace(row, connection=replace(row.connection, marketplace=marketplace))
        return await (self._tried(row) if self._dry_run else again(self._store, lambda work: self._taken(work, row)))

    async def _tried(self, row: Row) -> tuple[Outcome, InvalidRequest | None]:
        key = _key(row.connection)
        if key in self._ids:
            _check_id(row, self._ids[key])
            return Outcome.UNCHANGED, None
        if row.origin.account_id and row.origin.account_id in self._ids.values():
            raise InvalidRequest.of_field("account_id", "belongs to another row")
        found: list[tuple[Outcome, InvalidRequest | None]] = []

        async def attempt(work: Work) -> None:
            is_new = await self._is_new_client(work, row)
            outcome, warning = await self._taken(work, row)
            if is_new and outcome is Outcome.CREATED and self._differs(row):
                warning = _older_secret()
            found.append((outcome, warning))
            raise _DryRun

        try:
            await again(self._store, attempt)
        except _DryRun:
            self._ids[key] = row.origin.account_id
        return found[-1]

    async def _is_new_client(self, work: Work, row: Row) -> bool:
        client = row.connection.client
        return client is not None and await work.application_of_client(row.connection.user_id, client.client_id) is None

    def _differs(self, row: Row) -> bool:
        """Tell whether an earlier row would have stored another secret of this LWA client; without one, this row does."""
        client = row.connection.client
        if client is None:
            return False
        stored = self._secrets.setdefault((row.connection.user_id, client.client_id), client.client_secret)
        return client.client_secret not in (None, stored)

    async def _taken(self, work: Work, row: Row) -> tuple[Outcome, InvalidRequest | None]:
        connection, origin = row.connection, row.origin
        there = await work.account_of_seller(*_key(connection))
        if there is not None:
            _check_id(row, there.account_id)
            return Outcome.UNCHANGED, await _differences(work, there, connection)
        if origin.account_id and await work.account(origin.account_id) is not None:
            raise InvalidRequest.of_field("account_id", "is the id of another seller's account")
        if connection.application_id or connection.client is None:
            application = await self._applications.for_connection(
                work, connection.user_id, connection.application_id, connection.client
            )
            differs = False
        else:
            application, differs = await self._applications.for_import(work, connection.user_id, connection.client)
        await self._accounts.created(work, connection, application.application_id, origin)
        return Outcome.CREATED, _older_secret() if differs else None


def check_size(index: int) -> None:
    """Raise InvalidRequest where a stream grows too long; what came before is stored."""
    if index >= MAX_ROWS:
        words = f"must be one of at most {MAX_ROWS} in one stream; those before are stored, send the others in another stream"
        raise InvalidRequest.of_field("account", words)


def _key(connection: Connection) -> _Key:
    return connection.user_id, connection.amazon_seller_id, connection.marketplace


def _check_id(row: Row, stored_id: str) -> None:
    if row.origin.account_id and row.origin.account_id != stored_id:
        raise InvalidRequest.of_field(
            "account_id", f"the user's account of this seller and marketplace is there under the id {stored_id!r}"
        )


def _older_secret() -> InvalidRequest:
    return InvalidRequest.of_field("lwa_client_secret", "differs from the one stored for this LWA client, which stays")


async def _differences(work: Work, there: Account, given: Connection) -> InvalidRequest | None:
    """Name the fields in which an account that is there differs from the row; it stays as it is."""
    pairs = {
        "iam_role_arn": (given.iam_role_arn, there.iam_role_arn),
        "marketplace_ids": (given.marketplace_ids, there.marketplace_ids),
        "region": (given.region, there.region),
        "refresh_token": (given.refresh_token, await _refresh_token(work, there)),
    }
    names = [name for name, (new, old) in pairs.items() if new is not None and new != old]
    if not names:
        return None
    return InvalidRequest.of_field(names[0], f"the account is there, differs in {', '.join(names)}, and stays")


async def _refresh_token(work: Work, account: Account) -> SecretStr | None:
    try:
        return await work.refresh_token(account)
    except Unreadable:
        return None
