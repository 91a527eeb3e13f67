"""The rules of drop-in clients: their creation, their secrets, which are returned once, and their authentication."""

import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import SecretStr
from sellergate_amazon.marketplaces import marketplace_by_code
from sellergate_common.errors import NotFound, Reason, Resource, Unauthenticated

from sellergate_account.accounts import Accounts
from sellergate_account.audit import Audit
from sellergate_account.changes.retry import retry_transaction
from sellergate_account.model import DEFAULT_LIMITS, ID, Account, ClientPage, Cursor, DropInClient, Limits, State
from sellergate_account.ports.errors import UserLimitReached
from sellergate_account.ports.unit_of_work import Store, UnitOfWork

CLIENT_PREFIX, SECRET_PREFIX, HANDLE_PREFIX = "sgc_", "sgs_", "sgr_"
# Compared where there is no such client, so that the time of a response does not reveal whether a client exists.
_NO_CLIENT = hashlib.sha256(b"no client").hexdigest()


@dataclass(frozen=True, slots=True)
class Issued:
    """A new client with its secrets, which are in the clear only here. `handles` are the drop-in refresh tokens by account."""

    client: DropInClient
    secret: SecretStr
    handles: dict[str, SecretStr]


class Clients:
    """The operations on drop-in clients. `new_token` returns 256 random bits as text."""

    def __init__(
        self,
        store: Store,
        accounts: Accounts,
        audit: Audit,
        now: Callable[[], datetime],
        new_token: Callable[[], str],
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._audit = audit
        self._now = now
        self._new_token = new_token
        self._limits = limits

    async def create(self, user_id: str, name: str, account_ids: Sequence[str]) -> Issued:
        """Create a client of a user for accounts of that user. Raises NotFound, which names the account, and UserLimitReached."""
        wanted = tuple(dict.fromkeys(account_ids))
        client = DropInClient(CLIENT_PREFIX + self._new_token(), user_id, name, wanted, self._now())
        secret = SecretStr(SECRET_PREFIX + self._new_token())
        handles = {account_id: SecretStr(HANDLE_PREFIX + self._new_token()) for account_id in wanted}
        digests = {account_id: digest_of(handle) for account_id, handle in handles.items()}

        async def change(work: UnitOfWork) -> Issued:
            most = self._limits.clients
            if await work.clients.count(user_id, most) >= most:
                raise UserLimitReached("clients", most)
            for forgotten in await work.clients.remove_revoked(user_id, most):
                await self._audit.record(work.audit_log, "client.forgotten", subject=f"client/{forgotten}")
            for account_id in sorted(wanted):  # all transactions lock rows in one order, against deadlocks
                await self._accounts.get_owned(work, account_id, user_id)
            await work.clients.add(client, digest_of(secret), digests)
            for account_id in wanted:
                await self._audit.record(
                    work.audit_log, "client.handle_issued", account_id, f"client/{client.client_id}"
                )
            await self._audit.record(work.audit_log, "client.created", subject=f"client/{client.client_id}")
            return Issued(client, secret, handles)

        return await retry_transaction(self._store, change)

    async def list(self, user_id: str, after: Cursor | None, limit: int) -> ClientPage:
        """Return at most `limit` clients of a user; of all users for an empty id."""
        async with self._store.reading() as work:
            return await work.clients.list(user_id, after, limit)

    async def get(self, client_id: str, user: str) -> DropInClient:
        """Return a client. Raises NotFound, also for another user's client."""
        async with self._store.reading() as work:
            return await _owned(work, client_id, user)

    async def revoke(self, client_id: str, user: str) -> DropInClient:
        """Revoke a client at once; a repeat changes nothing. Raises NotFound, also for another user's client."""

        async def change(work: UnitOfWork) -> DropInClient:
            client = await _owned(work, client_id, user)
            if await work.clients.revoke(client_id, self._now()):
                await self._audit.record(work.audit_log, "client.revoked", subject=f"client/{client_id}")
            return await work.clients.get(client_id) or client

        return await retry_transaction(self._store, change)

    async def authenticate(
        self, client_id: str, secret: SecretStr, handle: SecretStr | None
    ) -> tuple[DropInClient, str]:
        """Return the client and the account of its drop-in refresh token. Raises Unauthenticated, with one message for all causes.

        The error's metadata hold part=handle where ID and secret are valid and the drop-in refresh token is not.
        """
        async with self._store.reading() as work:
            known = await work.clients.read_secret_digest(client_id)
            matches = hmac.compare_digest(known or _NO_CLIENT, digest_of(secret))
            client = await work.clients.get(client_id) if known and matches else None
            if client is None or client.revoke_time is not None:
                raise _refusal()
            if handle is None:
                return client, ""
            account_id = await work.clients.find_account(client_id, digest_of(handle))
            if not account_id:
                raise _refusal(part="handle")
            return client, account_id

    async def application_account(self, client: DropInClient) -> str:
        """Return an account for calls of the client's application itself; empty where its accounts have several applications.

        No client acts for an application that users share (ADR 0016), and each region of Amazon's has its own settings.
        """
        async with self._store.reading() as work:
            accounts = [account for one in client.account_ids if (account := await work.accounts.get(one))]
            usable = [account for account in accounts if account.state is not State.INACTIVE]
            found = {(account.application_id, _region(account)) for account in usable}
            if len(found) != 1:
                return ""
            application = await work.applications.get(usable[0].application_id)
            return usable[0].account_id if application and application.owner_user_id == client.user_id else ""


def digest_of(secret: SecretStr) -> str:
    """Return the SHA-256 of a secret in hex. A slow hash would not add protection to 256 random bits."""
    return hashlib.sha256(secret.get_secret_value().encode()).hexdigest()


async def _owned(work: UnitOfWork, client_id: str, user: str) -> DropInClient:
    client = await work.clients.get(client_id) if ID.fullmatch(client_id) else None
    if client is None or (user and client.user_id != user):
        raise _no_such_client(client_id)
    return client


def _region(account: Account) -> str:
    marketplace = marketplace_by_code(account.marketplace)
    return marketplace.region.name if marketplace else ""


def _refusal(**metadata: str) -> Unauthenticated:
    words = "The client ID, client secret or drop-in refresh token is wrong or revoked; check them, or use those of a new client."
    return Unauthenticated(words, metadata=metadata)


def _no_such_client(client_id: str) -> NotFound:
    return NotFound(
        "There is no such client; check the client id.",
        reason=Reason.CLIENT_NOT_FOUND,
        resource=Resource("client", client_id[:64]),
    )
