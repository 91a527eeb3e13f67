"""Decides about the audit log: who did what to which account, in chains that nobody can rewrite unseen.

There is one chain per account and one, GLOBAL, for everything else; it also knows which accounts were made and removed. An
event's HMAC covers the event before, and the chain's end is known by count, last HMAC and an HMAC of its own, beside the
account. The key is not in the database: whoever can write there cannot make up an end that fits.
"""

from collections.abc import Callable
from datetime import UTC, datetime

from sellergate_common.context import current_call
from sellergate_common.crypto.sealing import blind_index
from sellergate_common.errors import NotFound

from sellergate_account.model import Actor, AuditEvent, ChainHead
from sellergate_account.ports.audit_log import AuditLog
from sellergate_account.ports.unit_of_work import Store

GLOBAL = ""
# Written where an end did not fit when the next event came, so that an append cannot cover a cut.
BROKEN_END = "audit.broken_end"
CREATED, REMOVED = "account.created", "account.removed"


class Audit:
    """The writer of the log. `actor` tells who is being served."""

    def __init__(self, key: bytes, now: Callable[[], datetime], actor: Callable[[], Actor]) -> None:
        self._key = key
        self._now = now
        self._actor = actor

    async def record(
        self, audit_log: AuditLog, action: str, account_id: str = GLOBAL, subject: str = "", detail: str = ""
    ) -> None:
        """Append an event within the transaction that does what it tells of. Raises DuplicateKey, Unavailable."""
        head = await audit_log.head(account_id)
        if head.seal != self.seal_of(account_id, head):
            head = await self._append(audit_log, head, BROKEN_END, account_id, "", f"count {head.count}")
        await self._append(audit_log, head, action, account_id, subject, detail)

    async def account_created(self, audit_log: AuditLog, account_id: str, detail: str = "") -> None:
        """Record a new account in its own chain and in the global one, which remembers that it has to exist."""
        await self.record(audit_log, CREATED, account_id, detail=detail)
        await self.record(audit_log, CREATED, subject=f"account/{account_id}")

    async def account_removed(self, audit_log: AuditLog, account_id: str) -> None:
        """Record in both chains that an account is about to be removed, and keep its chain beyond it."""
        await self.record(audit_log, REMOVED, account_id)
        await audit_log.archive_chain(account_id)
        await self.record(audit_log, REMOVED, subject=f"account/{account_id}")

    async def events(self, store: Store, account_id: str, after: int, limit: int) -> tuple[AuditEvent, ...]:
        """Return at most `limit` events of a chain in order, beginning after a sequence number. Raises NotFound."""
        async with store.reading() as work:
            found = tuple(await work.audit_log.page(account_id, after, limit))
            if not found and account_id != GLOBAL and await work.accounts.get(account_id) is None:
                raise NotFound.account(account_id)
            return found

    def mac_of(self, event: AuditEvent, before: str) -> str:
        """Return the HMAC of an event that follows the one with the mac `before`."""
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
        """Return the HMAC of a chain's end; a chain that has not begun has none."""
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
    """Return who is being served in this task."""
    call = current_call()
    return Actor(call.caller.identity, call.caller.on_behalf_of, call.request_id) if call else Actor("", "", "")
