"""The rules of the audit log, which records the actor of each change in chains that reveal a later alteration.

There is one chain per account and one, GLOBAL, for everything else, which also records which accounts were created and removed.
An event's HMAC covers the event before. The end of a chain is stored beside the account: its count, its last HMAC, and an
HMAC over both. The key is not in the database, so that write access to the database does not suffice to forge an end.
"""

from collections.abc import Callable
from datetime import UTC, datetime

from sellergate_common.context import current_call
from sellergate_common.crypto.sealing import blind_index
from sellergate_common.errors import NotFound

from sellergate_account.model import OLDEST_FIRST, Actor, AuditEvent, ChainHead, EventOrder
from sellergate_account.ports.audit_log import AuditLog
from sellergate_account.ports.unit_of_work import Store

GLOBAL = ""
# Written before the next event where the stored end was wrong, so that an append cannot hide a truncated chain.
BROKEN_END = "audit.broken_end"
CREATED, REMOVED = "account.created", "account.removed"


class Audit:
    """The writer of the audit log. `actor` returns the actor of the present request."""

    def __init__(self, key: bytes, now: Callable[[], datetime], actor: Callable[[], Actor]) -> None:
        self._key = key
        self._now = now
        self._actor = actor

    async def record(
        self, audit_log: AuditLog, action: str, account_id: str = GLOBAL, subject: str = "", detail: str = ""
    ) -> None:
        """Append an event within the transaction of the change that it records. Raises DuplicateKey, Unavailable."""
        head = await audit_log.head(account_id)
        if head.seal != self.seal_of(account_id, head):
            head = await self._append(audit_log, head, BROKEN_END, account_id, "", f"count {head.count}")
        await self._append(audit_log, head, action, account_id, subject, detail)

    async def account_created(self, audit_log: AuditLog, account_id: str, detail: str = "") -> None:
        """Record a new account in its own chain and in the global one, by which a missing account is found."""
        await self.record(audit_log, CREATED, account_id, detail=detail)
        await self.record(audit_log, CREATED, subject=f"account/{account_id}")

    async def account_removed(self, audit_log: AuditLog, account_id: str) -> None:
        """Record in both chains that an account is about to be removed, and archive the end of its chain."""
        await self.record(audit_log, REMOVED, account_id)
        await audit_log.archive_chain(account_id)
        await self.record(audit_log, REMOVED, subject=f"account/{account_id}")

    async def events(
        self, store: Store, account_id: str, after: int, limit: int, order: EventOrder = OLDEST_FIRST
    ) -> tuple[AuditEvent, ...]:
        """Return at most `limit` events of a chain in an order, beginning after a sequence number. Raises NotFound."""
        async with store.reading() as work:
            found = tuple(await work.audit_log.page(account_id, after, limit, order))
            if not found and account_id != GLOBAL and await work.accounts.get(account_id) is None:
                raise NotFound.account(account_id)
            return found

    def mac_of(self, event: AuditEvent, before: str) -> str:
        """Return the HMAC of an event that follows an event with the HMAC `before`."""
        parts = (
            event.action,
            event.subject,
            event.detail,
            event.caller,
            event.on_behalf_of,
            event.request_id,
            event.create_time.astimezone(UTC).isoformat(),
        )
        return blind_index(self._key, "event", event.chain, str(event.sequence), before, *parts)

    def seal_of(self, chain: str, head: ChainHead) -> str:
        """Return the HMAC of a chain's end; empty for a chain without events."""
        return blind_index(self._key, "end", chain, str(head.count), head.mac) if head.count or head.mac else ""

    async def _append(
        self, audit_log: AuditLog, head: ChainHead, action: str, chain: str, subject: str, detail: str
    ) -> ChainHead:
        who = self._actor()
        event = AuditEvent(
            chain, head.count + 1, action, subject, detail, who.caller, who.on_behalf_of, who.request_id, self._now()
        )
        mac = self.mac_of(event, head.mac)
        after = ChainHead(event.sequence, mac)
        after = ChainHead(after.count, after.mac, self.seal_of(chain, after))
        await audit_log.append(
            AuditEvent(**{name: getattr(event, name) for name in event.__slots__} | {"mac": mac}), after
        )
        return after


def current_actor() -> Actor:
    """Return the actor of the request that this task serves."""
    call = current_call()
    return Actor(call.caller.identity, call.caller.on_behalf_of, call.request_id) if call else Actor("", "", "")
