"""The port of the audit log."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol

from sellergate_account.model import OLDEST_FIRST, AuditEvent, ChainHead, EventOrder


class AuditLog(Protocol):
    """The audit log in one transaction."""

    async def head(self, chain: str) -> ChainHead:
        """Return a chain's end, locked until the end of a writing transaction: no other transaction appends to it."""

    async def append(self, event: AuditEvent, head: ChainHead) -> None:
        """Store an event and the chain's new end. Raises DuplicateKey."""

    async def archive_chain(self, account_id: str) -> None:
        """Keep the end of an account's chain beyond the account, which is about to be removed."""

    async def resume_chain(self, account_id: str) -> None:
        """Give a new account the archived end of the chain of an earlier account with the same id, if there is one."""

    async def heads(self, living: bool, after: str, limit: int) -> Sequence[tuple[str, ChainHead]]:
        """Return the next chains by id: those of accounts, or those without one (the global one is the first of these)."""

    def events(self, chains: Sequence[str]) -> AsyncIterator[AuditEvent]:
        """Yield all events of some chains, chain by chain in order."""

    async def page(self, chain: str, after: int, limit: int, order: EventOrder = OLDEST_FIRST) -> Sequence[AuditEvent]:
        """Return at most `limit` events of a chain in an order, beginning after a sequence number; 0: at the beginning."""

    async def orphan_chains(self, limit: int) -> Sequence[str]:
        """Return chains that have events and no end."""

    async def macs(self, events: Sequence[tuple[str, int]]) -> Mapping[tuple[str, int], str]:
        """Return the MACs of those events that are stored, by chain and number."""
