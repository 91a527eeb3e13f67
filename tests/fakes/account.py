"""The account domain in memory: its store, and the services on it."""

import asyncio
import itertools
import os
import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from pydantic import SecretStr
from sellergate_account.accounts import Accounts
from sellergate_account.applications import Applications
from sellergate_account.audit import Audit
from sellergate_account.clients import Clients
from sellergate_account.ids import new_external_id, new_uuid7
from sellergate_account.model import (
    OLDEST_FIRST,
    Account,
    Actor,
    Application,
    ApplicationSecrets,
    AuditEvent,
    ChainHead,
    Cursor,
    EventOrder,
    Filter,
    FirstResponse,
    KeyedRequest,
    SecretRef,
    StoredRow,
)
from sellergate_account.ports.errors import DecryptionError, DuplicateKey, InUse
from sellergate_account.ports.repositories import ClientRepository, Expiries
from sellergate_account.ports.unit_of_work import Store, UnitOfWork


@dataclass
class FakeAuditLog:
    log: list[AuditEvent] = field(default_factory=list)
    # The ends of chains: those of existing accounts, and all others.
    living: dict[str, ChainHead] = field(default_factory=dict)
    others: dict[str, ChainHead] = field(default_factory=dict)

    async def head(self, chain: str) -> ChainHead:
        return self.living.get(chain) or self.others.get(chain) or ChainHead()

    async def append(self, event: AuditEvent, head: ChainHead) -> None:
        if any((other.chain, other.sequence) == (event.chain, event.sequence) for other in self.log):
            raise DuplicateKey
        self.log.append(event)
        (self.living if event.chain else self.others)[event.chain] = head

    async def archive_chain(self, account_id: str) -> None:
        self.others[account_id] = self.living[account_id]

    async def resume_chain(self, account_id: str) -> None:
        if account_id in self.others:
            self.living[account_id] = self.others.pop(account_id)

    async def heads(self, living: bool, after: str, limit: int) -> Sequence[tuple[str, ChainHead]]:
        return sorted(one for one in (self.living if living else self.others).items() if one[0] > after)[:limit]

    async def events(self, chains: Sequence[str]) -> AsyncIterator[AuditEvent]:
        for event in sorted(self.log, key=lambda event: (event.chain, event.sequence)):
            if event.chain in chains:
                yield event

    async def page(self, chain: str, after: int, limit: int, order: EventOrder = OLDEST_FIRST) -> Sequence[AuditEvent]:
        def wanted(event: AuditEvent) -> bool:
            follows = not after or (event.sequence < after if order.newest_first else event.sequence > after)
            return event.chain == chain and follows and (order.since is None or event.create_time >= order.since)

        found = sorted(filter(wanted, self.log), key=lambda event: event.sequence, reverse=order.newest_first)
        return found[:limit]

    async def macs(self, events: Sequence[tuple[str, int]]) -> Mapping[tuple[str, int], str]:
        return {key: one.mac for one in self.log if (key := (one.chain, one.sequence)) in events}

    async def orphan_chains(self, limit: int) -> Sequence[str]:
        return sorted({event.chain for event in self.log} - set(self.living) - set(self.others))[:limit]


@dataclass
class FakeKeyedRequests:
    rows: dict[tuple[str, str, str], tuple[str, bytes, datetime]] = field(default_factory=dict)

    async def claim(self, request: KeyedRequest, now: datetime, since: datetime) -> FirstResponse | None:
        found = self.rows.get(_name(request))
        if found is not None and found[2] > since:
            return FirstResponse(found[0] == request.digest, found[1])
        self.rows[_name(request)] = request.digest, b"", now
        return None

    async def has_room(self, request: KeyedRequest, since: datetime, most: int) -> bool:
        of_user = {name: row for name, row in self.rows.items() if name[:2] == _name(request)[:2]}
        expired = sorted((name for name, row in of_user.items() if row[2] <= since), key=lambda name: of_user[name][2])
        removed = expired[:500] if len(of_user) > most else []
        for name in removed:
            del self.rows[name]
        return len(of_user) - len(removed) <= most

    async def respond(self, request: KeyedRequest, response: bytes) -> None:
        digest, _, now = self.rows[_name(request)]
        self.rows[_name(request)] = digest, response, now

    async def remove(self, before: datetime, limit: int) -> int:
        old = [name for name, row in self.rows.items() if row[2] < before][:limit]
        for name in old:
            del self.rows[name]
        return len(old)


def _name(request: KeyedRequest) -> tuple[str, str, str]:
    return request.caller, request.user, request.key


@dataclass
class FakeAccounts:
    # Rows whose secrets cannot be decrypted: "accounts/<id>", "applications/<id>".
    unreadable: set[str]
    audit_log: FakeAuditLog
    rows: dict[str, tuple[Account, SecretStr]] = field(default_factory=dict)

    async def get(self, account_id: str, *, with_application: bool = False) -> Account | None:
        return self.rows[account_id][0] if account_id in self.rows else None

    async def find(self, user_id: str, amazon_seller_id: str, marketplace: str) -> Account | None:
        key = user_id, amazon_seller_id, marketplace
        return next((account for account, _ in self.rows.values() if _key(account) == key), None)

    async def find_holder(self, user_id: str, external_ref: str) -> str | None:
        rows = (account for account, _ in self.rows.values())
        return next(
            (one.account_id for one in rows if (one.user_id, one.external_ref) == (user_id, external_ref)), None
        )

    async def list(self, narrowed: Filter, after: Cursor | None, limit: int) -> Sequence[Account]:
        def wanted(account: Account) -> bool:
            return (
                (not narrowed.user_id or account.user_id == narrowed.user_id)
                and (not narrowed.states or account.state in narrowed.states)
                and (not narrowed.marketplaces or account.marketplace in narrowed.marketplaces)
                and narrowed.application_id in ("", account.application_id)
                and narrowed.amazon_seller_id in ("", account.amazon_seller_id)
                and narrowed.external_ref in ("", account.external_ref)
                and set(narrowed.labels) <= set(account.labels.items())
                and (
                    narrowed.expires_before is None
                    or (
                        account.authorization_expire_time is not None
                        and account.authorization_expire_time < narrowed.expires_before
                    )
                )
                and (after is None or (account.create_time, account.account_id) > (after.create_time, after.id))
            )

        found = sorted(
            (account for account, _ in self.rows.values() if wanted(account)),
            key=lambda account: (account.create_time, account.account_id),
        )
        return found[:limit]

    async def count(self, user_id: str, most: int) -> int:
        return min(most, sum(account.user_id == user_id for account, _ in self.rows.values()))

    async def add(self, account: Account, refresh_token: SecretStr) -> None:
        if account.account_id in self.rows or await self.find(*_key(account)):
            raise DuplicateKey
        self._check_reference(account)
        self.rows[account.account_id] = (account, refresh_token)
        self.audit_log.living[account.account_id] = ChainHead()

    async def save(self, account: Account, refresh_token: SecretStr | None) -> None:
        before = self.rows[account.account_id][0]
        self._check_reference(account)
        if refresh_token is None and before.revision != account.revision:
            await self.read_refresh_token(before)
        if refresh_token is not None:
            self.unreadable.discard(f"accounts/{account.account_id}")
        self.rows[account.account_id] = (account, refresh_token or self.rows[account.account_id][1])

    async def remove(self, account_id: str) -> None:
        self.rows.pop(account_id, None)
        self.audit_log.living.pop(account_id, None)

    async def read_refresh_token(self, account: Account) -> SecretStr:
        _check_readable(self.unreadable, f"accounts/{account.account_id}")
        return self.rows[account.account_id][1]

    def _check_reference(self, account: Account) -> None:
        for other, _ in self.rows.values():
            same = account.external_ref and (other.user_id, other.external_ref) == (
                account.user_id,
                account.external_ref,
            )
            if same and other.account_id != account.account_id:
                raise DuplicateKey


@dataclass
class FakeApplications:
    unreadable: set[str]
    accounts: FakeAccounts
    rows: dict[str, tuple[Application, ApplicationSecrets]] = field(default_factory=dict)

    async def get(self, application_id: str) -> Application | None:
        return self.rows[application_id][0] if application_id in self.rows else None

    async def find(self, owner_user_id: str, client_id: SecretStr) -> Application | None:
        return next(
            (
                application
                for application, secrets in self.rows.values()
                if (application.owner_user_id, secrets.client_id) == (owner_user_id, client_id)
            ),
            None,
        )

    async def list(self, owners: Sequence[str] | None, after: Cursor | None, limit: int) -> Sequence[Application]:
        def wanted(one: Application) -> bool:
            place = one.create_time, one.application_id
            return (owners is None or one.owner_user_id in owners) and (
                after is None or place > (after.create_time, after.id)
            )

        found = (application for application, _ in self.rows.values() if wanted(application))
        return sorted(found, key=lambda one: (one.create_time, one.application_id))[:limit]

    async def count(self, user_id: str, most: int) -> int:
        return min(most, sum(one.owner_user_id == user_id for one, _ in self.rows.values()))

    async def add(self, application: Application, secrets: ApplicationSecrets) -> None:
        if await self.find(application.owner_user_id, secrets.client_id):
            raise DuplicateKey
        self.rows[application.application_id] = (application, secrets)

    async def save(self, application: Application, secrets: ApplicationSecrets | None) -> None:
        if secrets is not None:
            self.unreadable.discard(f"applications/{application.application_id}")
        kept = self.rows[application.application_id][1]
        self.rows[application.application_id] = (application, secrets or kept)

    async def remove(self, application_id: str) -> None:
        if any(account.application_id == application_id for account, _ in self.accounts.rows.values()):
            raise InUse
        self.rows.pop(application_id, None)

    async def read_secrets(self, application: Application) -> ApplicationSecrets:
        _check_readable(self.unreadable, f"applications/{application.application_id}")
        return self.rows[application.application_id][1]


def _check_readable(unreadable: set[str], row: str) -> None:
    if row in unreadable:
        raise DecryptionError(row)


@dataclass
class FakeExternalIds:
    rows: dict[str, str] = field(default_factory=dict)

    async def get_or_add(self, user_id: str, proposed: str) -> str:
        return self.rows.setdefault(user_id, proposed)


@dataclass
class FakeUnitOfWork:
    # Rows whose secrets cannot be decrypted: "accounts/<id>", "applications/<id>".
    unreadable: set[str] = field(default_factory=set)
    audit_log: FakeAuditLog = field(default_factory=FakeAuditLog)
    keyed_requests: FakeKeyedRequests = field(default_factory=FakeKeyedRequests)
    external_ids: FakeExternalIds = field(default_factory=FakeExternalIds)
    accounts: FakeAccounts = field(init=False)
    applications: FakeApplications = field(init=False)

    def __post_init__(self) -> None:
        self.accounts = FakeAccounts(self.unreadable, self.audit_log)
        self.applications = FakeApplications(self.unreadable, self.accounts)

    @property
    def clients(self) -> ClientRepository:
        raise NotImplementedError("drop-in clients are tested on real databases")

    @property
    def expiries(self) -> Expiries:
        raise NotImplementedError("expiries are tested on real databases")

    async def send(self) -> None:
        pass

    def stored_rows(self) -> AsyncIterator[StoredRow]:
        raise NotImplementedError("rows with MACs are tested on real databases")

    def copy(self) -> "FakeUnitOfWork":
        audit_log = FakeAuditLog(list(self.audit_log.log), dict(self.audit_log.living), dict(self.audit_log.others))
        requests, external_ids = FakeKeyedRequests(dict(self.keyed_requests.rows)), dict(self.external_ids.rows)
        copied = FakeUnitOfWork(set(self.unreadable), audit_log, requests, FakeExternalIds(external_ids))
        copied.accounts.rows |= self.accounts.rows
        copied.applications.rows |= self.applications.rows
        return copied


class FakeSecretStore:
    """A secret store outside of the database, such as a vault; a row keeps the name of a version."""

    def __init__(self) -> None:
        self.versions: dict[str, SecretStr] = {}
        self._numbers = itertools.count(1)

    async def write(self, ref: SecretRef, secret: SecretStr) -> str:
        kept = f"{ref}#{next(self._numbers)}"
        self.versions[kept] = secret
        return kept

    async def read(self, ref: SecretRef, kept: str) -> SecretStr:
        if kept.partition("#")[0] != str(ref) or kept not in self.versions:
            raise DecryptionError(ref.row)
        return self.versions[kept]

    async def rewrap(self, ref: SecretRef, kept: str) -> str | None:
        await self.read(ref, kept)
        return None

    async def delete(self, ref: SecretRef, kept: str) -> None:
        self.versions.pop(kept, None)


@dataclass
class FakeStore:
    work: FakeUnitOfWork = field(default_factory=FakeUnitOfWork)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[UnitOfWork]:
        yield self.work

    reading_once = reading

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[UnitOfWork]:
        async with self._turn:
            before = self.work.copy()
            try:
                yield self.work
            except BaseException:
                self.work = before
                raise


def _key(account: Account) -> tuple[str, str, str]:
    return account.user_id, account.amazon_seller_id, account.marketplace


AUDIT_KEY = os.urandom(32)


class PublishedChanges(list[str]):
    async def publish(self, account_id: str) -> None:
        self.append(account_id)


class Domain:
    def __init__(
        self,
        store: Store,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        new_id: Callable[[], str] = new_uuid7,
        new_external: Callable[[], str] = new_external_id,
    ) -> None:
        self.store = store
        self.announced = PublishedChanges()
        self.actor = Actor("edge", "u1", "request-1")
        self.audit = Audit(AUDIT_KEY, now, lambda: self.actor)
        self.applications = Applications(store, self.audit, now, new_id)
        self.accounts = Accounts(store, self.applications, self.audit, self.announced, now, new_id, new_external)
        self.clients = Clients(store, self.accounts, self.audit, now, lambda: secrets.token_urlsafe(32))
