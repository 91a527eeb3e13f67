"""The import of accounts from a former system: each is stored whole or not at all, and stored accounts stay as they are."""

from dataclasses import dataclass, field, replace
from datetime import MAXYEAR
from enum import StrEnum

from pydantic import SecretStr
from sellergate_amazon.marketplaces import marketplace_by_code
from sellergate_common.errors import InvalidRequest, NotFound, PreconditionFailed

from sellergate_account.account_fields import check_labels, check_marketplace_ids, marketplace_code
from sellergate_account.accounts import ID, Accounts, Connection
from sellergate_account.admin.import_secrets import KeptSecrets, Rank, first, settle
from sellergate_account.applications import Applications
from sellergate_account.changes.retry import retry_transaction
from sellergate_account.model import Account, Application, ApplicationSecrets, Filter, Origin, State
from sellergate_account.ports.errors import DecryptionError
from sellergate_account.ports.unit_of_work import Store, UnitOfWork
from sellergate_account.secrets.rules import check_connection

MAX_ROWS = 10_000
"""The most rows in one stream: the report on them must fit into one message."""
REFUSED = (InvalidRequest, NotFound, PreconditionFailed)
"""The errors that refuse one row and let the import continue."""
_LIVING = (State.ACTIVE, State.AUTHORIZATION_REVOKED)
_Key = tuple[str, str, str]


class Outcome(StrEnum):
    """The outcome of a row."""

    CREATED = "created"
    UNCHANGED = "unchanged"


class _DryRun(Exception):
    """The end of a dry run's transaction, which is rolled back."""


@dataclass(frozen=True, slots=True)
class Row:
    """One account of a former system. `shared` allows the operator's application; `shared_id` restricts it to one."""

    connection: Connection
    origin: Origin
    shared: bool = False
    shared_id: str = ""

    @property
    def rank(self) -> Rank:
        """The row's rank among those of its LWA client."""
        return Rank(self.origin.state is not State.INACTIVE, self.origin.update_time or self.origin.create_time)


@dataclass(frozen=True, slots=True)
class ImportResult:
    """The outcome of a row, a warning about it or None, and the operator's application that the account uses (empty: none)."""

    outcome: Outcome
    warning: InvalidRequest | None = None
    shared_application_id: str = ""
    # The secrets that are now kept of the row's LWA client, if the row could change them.
    kept: KeptSecrets | None = field(default=None, compare=False, repr=False)


class Import:
    """One run over the rows of a former system. A dry run makes every check and stores nothing."""

    def __init__(self, store: Store, accounts: Accounts, applications: Applications, *, dry_run: bool) -> None:
        self._store = store
        self._accounts = accounts
        self._applications = applications
        self._dry_run = dry_run
        # The accounts that a dry run accepted, since it cannot find them in the store.
        self._ids: dict[_Key, str] = {}
        # The secrets that earlier rows decided on; a run that stores uses only their `best`.
        self._kept: dict[tuple[str, SecretStr], KeptSecrets] = {}
        self._refused: set[_Key] = set()

    async def import_row(self, row: Row) -> ImportResult:
        """Store a row; return its result. Raises InvalidRequest, which names the field."""
        if row.origin.account_id and not ID.fullmatch(row.origin.account_id):
            raise InvalidRequest.of_field("account_id", "must have 1 to 64 letters, digits, _ and -")
        if row.origin.create_time and row.origin.create_time.year >= MAXYEAR:
            raise InvalidRequest.of_field("create_time", f"must be before the year {MAXYEAR}")
        marketplace = marketplace_code(row.connection.marketplace, "marketplace")
        check_marketplace_ids(row.connection.marketplace_ids)
        check_labels(row.connection.labels)
        check_connection(row.connection)
        row = replace(row, connection=replace(row.connection, marketplace=marketplace))
        taken = await (
            self._import(row)
            if self._dry_run
            else retry_transaction(self._store, lambda work: self._store_row(work, row))
        )
        if taken.kept and (client := row.connection.client):
            self._kept[row.connection.user_id, client.client_id] = taken.kept
        return taken

    def note_refused(self, user_id: str, amazon_seller_id: str, marketplace: str) -> None:
        """Record the seller of an active row that was refused, so that no inactive row is stored in its place."""
        known = marketplace_by_code(marketplace)
        self._refused.add((user_id, amazon_seller_id, known.code if known else marketplace))

    async def _import(self, row: Row) -> ImportResult:
        key = _key(row.connection)
        if key in self._ids:
            _check_id(row, self._ids[key])
            return ImportResult(Outcome.UNCHANGED)
        if row.origin.account_id and row.origin.account_id in self._ids.values():
            raise InvalidRequest.of_field("account_id", "belongs to another row; give each account an id of its own")
        found: list[ImportResult] = []

        async def attempt(work: UnitOfWork) -> None:
            found.append(await self._store_row(work, row))
            await work.send()
            raise _DryRun

        try:
            await retry_transaction(self._store, attempt)
        except _DryRun:
            self._ids[key] = row.origin.account_id
        return found[-1]

    async def _store_row(self, work: UnitOfWork, row: Row) -> ImportResult:
        connection, origin = row.connection, row.origin
        there = await work.accounts.find(*_key(connection))
        if there is not None:
            _check_id(row, there.account_id, there.state)
            return ImportResult(Outcome.UNCHANGED, await _differences(work, there, connection))
        if not row.rank.active and _key(connection) in self._refused:
            words = "an active row of this seller and marketplace was refused; correct that row and import again"
            raise InvalidRequest.of_field("inactive", words)
        if origin.account_id and await work.accounts.get(origin.account_id) is not None:
            raise InvalidRequest.of_field(
                "account_id",
                "is the id of another seller's account; give this account another id, or none for a new one",
            )
        application, taken = await self._application(work, row)
        await self._accounts.create(work, connection, application.application_id, origin)
        return taken

    async def _application(self, work: UnitOfWork, row: Row) -> tuple[Application, ImportResult]:
        """Return a new account's application: the operator's, if the row allows it and has its secret, or the user's own."""
        connection = row.connection
        if connection.application_id or connection.client is None:
            named = await self._applications.for_connection(
                work, connection.user_id, connection.application_id, connection.client
            )
            return named, ImportResult(Outcome.CREATED)
        if row.shared and (shared := await self._shared(work, row)):
            return shared, ImportResult(Outcome.CREATED, None, shared.application_id)
        return await self._own(work, row)

    async def _shared(self, work: UnitOfWork, row: Row) -> Application | None:
        """Return the operator's application of the row's LWA client, or None. Raises InvalidRequest for another secret."""
        if row.shared_id:
            named = await work.applications.get(row.shared_id) if ID.fullmatch(row.shared_id) else None
            if named is None or named.owner_user_id:
                raise InvalidRequest.of_field("shared_application_id", "must be the id of an operator's application")
        client = row.connection.client
        shared = await work.applications.find("", client.client_id) if client else None
        if client is None or shared is None or row.shared_id not in ("", shared.application_id):
            return None
        secrets = await self._applications.open_secrets(work, shared)
        if client.client_secret is None or client.client_secret not in (
            secrets.client_secret,
            secrets.previous_client_secret,
        ):
            raise InvalidRequest.of_field(
                "lwa_client_secret",
                f"differs from the secrets of the operator's application {shared.application_id} with this LWA client;"
                " rotate the secret there or correct the row, or import with applications of the users' own",
            )
        return shared

    async def _own(self, work: UnitOfWork, row: Row) -> tuple[Application, ImportResult]:
        """Return the user's own application of the row's LWA client, with the secrets that the precedence of rows selects."""
        connection, client = row.connection, row.connection.client
        assert client is not None  # noqa: S101  (checked by the caller)
        found = await work.applications.find(connection.user_id, client.client_id)
        before = await self._kept_of(work, found, (connection.user_id, client.client_id))
        if before is None:
            if client.client_secret is None:
                raise InvalidRequest.of_field(
                    "lwa_client_secret", "must be set for an LWA client that is not known yet"
                )
            kept, warning = first(client.client_secret, row.rank), None
        else:
            kept, warning = settle(before, client.client_secret, row.rank)
        if found is None:
            found = await self._applications.find_or_create(work, connection.user_id, client)
        elif before and (kept.current, kept.previous) != (before.current, before.previous):
            secrets = ApplicationSecrets(client.client_id, kept.current, kept.previous)
            found = await self._applications.keep_secrets(work, found, secrets)
        return found, ImportResult(Outcome.CREATED, warning, kept=kept)

    async def _kept_of(
        self, work: UnitOfWork, found: Application | None, key: tuple[str, SecretStr]
    ) -> KeptSecrets | None:
        """Return the kept secrets of an LWA client, in a dry run as earlier rows left them. Raises DecryptionError."""
        earlier = self._kept.get(key)
        if self._dry_run and earlier:
            return earlier
        if found is None:
            return None
        secrets = await self._applications.open_secrets(work, found)
        users = Filter(user_id=found.owner_user_id, states=_LIVING, application_id=found.application_id)
        living = bool(await work.accounts.list(users, None, 1))
        best = earlier.best if earlier else None
        return KeptSecrets(secrets.client_secret, secrets.previous_client_secret, living, found.update_time, best)


def check_size(index: int) -> None:
    """Raise InvalidRequest where a stream has more than MAX_ROWS rows; the rows before are stored."""
    if index >= MAX_ROWS:
        words = f"must be one of at most {MAX_ROWS} in one stream; the rows before are stored, send the others in another stream"
        raise InvalidRequest.of_field("account", words)


def _key(connection: Connection) -> _Key:
    return connection.user_id, connection.amazon_seller_id, connection.marketplace


def _check_id(row: Row, stored_id: str, state: State = State.ACTIVE) -> None:
    if not row.origin.account_id or row.origin.account_id == stored_id:
        return
    words = (
        f"the user's account of this seller and marketplace is stored under the id {stored_id!r}; correct the row's id"
    )
    if state is State.INACTIVE and row.rank.active:
        words += ", or remove that inactive account permanently to import this active one"
    raise InvalidRequest.of_field("account_id", words)


async def _differences(work: UnitOfWork, there: Account, given: Connection) -> InvalidRequest | None:
    """Return a warning that names the fields in which a stored account differs from the row, or None."""
    pairs = {
        "iam_role_arn": (given.iam_role_arn, there.iam_role_arn),
        "marketplace_ids": (given.marketplace_ids, there.marketplace_ids),
        "region": (given.region, there.region),
        "refresh_token": (given.refresh_token, await _refresh_token(work, there)),
    }
    names = [name for name, (new, old) in pairs.items() if new is not None and new != old]
    if not names:
        return None
    return InvalidRequest.of_field(
        names[0], f"the stored account differs in {', '.join(names)} and stays as it is; update it if the row is right"
    )


async def _refresh_token(work: UnitOfWork, account: Account) -> SecretStr | None:
    try:
        return await work.accounts.read_refresh_token(account)
    except DecryptionError:
        return None
