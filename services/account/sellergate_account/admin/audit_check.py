"""Checks the audit log: every event's HMAC, every chain's numbers and end, that no chain or account is missing; and all rows."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from sellergate_common.errors import NotFound

from sellergate_account.admin.row_check import NOT_WRITTEN_HERE, RecordedRows, check_rows
from sellergate_account.audit import BROKEN_END, CREATED, GLOBAL, REMOVED, Audit
from sellergate_account.model import AuditEvent, ChainHead
from sellergate_account.ports.audit_log import AuditLog
from sellergate_account.ports.errors import NotAuthentic
from sellergate_account.ports.unit_of_work import Store, UnitOfWork

FAULTS_SHOWN = 1000
_CHAINS_AT_ONCE = 200


@dataclass(slots=True)
class Finding:
    """Events checked, faults in all, and the first of them in words."""

    checked: int = 0
    fault_count: int = 0
    faults: list[str] = field(default_factory=list)

    def fault(self, chain: str, words: str) -> None:
        """Note a fault of a chain."""
        self.note(f"account {chain}" if chain else "global chain", words)

    def row_fault(self, name: str, words: str) -> None:
        """Note a fault of a row."""
        self.note(f"row {name}", words)

    def note(self, subject: str, words: str) -> None:
        """Note a fault; the first 1,000 are kept in words."""
        self.fault_count += 1
        if len(self.faults) < FAULTS_SHOWN:
            self.faults.append(f"{subject}: {words}")


async def verify(store: Store, audit: Audit, account_id: str) -> Finding:
    """Check one account's row and chain, also of one that is gone; with an empty id all, and that they belong together.

    Raises NotFound.
    """
    finding = Finding()
    async with store.reading() as work:
        if account_id:
            head = await work.audit_log.head(account_id)
            try:
                account = await work.accounts.get(account_id)
            except NotAuthentic as error:
                finding.row_fault(error.metadata["row"], NOT_WRITTEN_HERE)
            else:
                if head == ChainHead() and account is None and not await work.audit_log.page(account_id, 0, 1):
                    raise NotFound.account(account_id)
            await _check(work.audit_log, audit, finding, [(account_id, head)], _Accounts())
        else:
            await _check_all(work, audit, finding)
    return finding


@dataclass(slots=True)
class _Accounts:
    """Accounts that exist by what the global chain says, and those whose own chain tells of their creation."""

    expected: set[str] = field(default_factory=set)
    removed: set[str] = field(default_factory=set)
    begun: set[str] = field(default_factory=set)
    recorded: RecordedRows = field(default_factory=RecordedRows)

    def note(self, event: AuditEvent) -> None:
        self.recorded.note(event)
        name = event.subject.removeprefix("account/")
        if event.chain == GLOBAL and event.action == CREATED:
            self.expected.add(name)
        elif event.chain == GLOBAL and event.action == REMOVED:
            self.expected.discard(name)
            self.removed.add(name)
        elif event.action == CREATED:
            self.begun.add(event.chain)
        elif event.action == REMOVED:
            self.begun.discard(event.chain)


async def _check_all(work: UnitOfWork, audit: Audit, finding: Finding) -> None:
    audit_log, accounts, living, ended = work.audit_log, _Accounts(), set[str](), set[str]()
    async for page in _heads(audit_log, living=False):
        ended.update(chain for chain, _ in page)
        for chain, head in page:
            if chain != GLOBAL and not head.count:
                finding.fault(chain, "it has an end, and no event")
        await _check(audit_log, audit, finding, page, accounts)
    async for page in _heads(audit_log, living=True):
        living.update(chain for chain, _ in page)
        await _check(audit_log, audit, finding, page, accounts)
    for account_id in sorted(accounts.expected - living):
        finding.fault(account_id, "the account is gone, and nothing tells of its removal")
    for account_id in sorted(accounts.expected & living - accounts.begun):
        finding.fault(account_id, "nothing tells of its creation, which the global chain knows")
    for account_id in sorted(accounts.begun - accounts.expected):
        finding.fault(account_id, "the global chain does not tell of its creation")
    for account_id in sorted(accounts.removed - living - ended):
        finding.fault(account_id, "the account was removed, and its chain is gone")
    for chain in await audit_log.orphan_chains(FAULTS_SHOWN):
        finding.fault(chain, "there are events, and nothing knows of the chain")
    await check_rows(work.stored_rows(), accounts.recorded, finding.row_fault)


async def _heads(audit_log: AuditLog, *, living: bool) -> AsyncIterator[Sequence[tuple[str, ChainHead]]]:
    page = await audit_log.heads(living, "", _CHAINS_AT_ONCE)
    if not living:  # what comes after the empty id leaves out the global chain, whose id is empty
        yield [(GLOBAL, await audit_log.head(GLOBAL))]
    while page:
        yield page
        page = await audit_log.heads(living, page[-1][0], _CHAINS_AT_ONCE)


async def _check(
    audit_log: AuditLog, audit: Audit, finding: Finding, chains: Sequence[tuple[str, ChainHead]], accounts: _Accounts
) -> None:
    """Walk through some chains, event by event, and compare where each ends with what is known of its end."""
    heads = dict(chains)
    ends = dict.fromkeys(heads, ChainHead())
    async for event in audit_log.events(list(heads)):
        finding.checked += 1
        before = ends[event.chain]
        if event.sequence != before.count + 1:
            finding.fault(event.chain, f"between events {before.count} and {event.sequence} something is missing")
        if event.mac != audit.mac_of(event, before.mac):
            finding.fault(event.chain, f"event {event.sequence} was changed, or what came before it was")
        if event.action == BROKEN_END:
            finding.fault(event.chain, f"before event {event.sequence} the end of the chain did not fit")
        accounts.note(event)
        ends[event.chain] = ChainHead(event.sequence, event.mac)
    for chain, head in heads.items():
        end = ends[chain]
        if (end.count, end.mac) != (head.count, head.mac):
            finding.fault(chain, f"it ends with event {end.count}, and {head.count} events are known")
        if head.seal != audit.seal_of(chain, head):
            finding.fault(chain, "what is known of its end was changed")
