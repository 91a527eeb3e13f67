"""The check of the audit log: the HMAC of each event, the numbers and end of each chain, missing accounts, and all rows."""

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
    """The result of a check: the number of events checked, the number of faults, and descriptions of the first 1,000 faults."""

    checked: int = 0
    fault_count: int = 0
    faults: list[str] = field(default_factory=list)

    def add_chain_fault(self, chain: str, words: str) -> None:
        """Add a fault of a chain."""
        self._add(f"account {chain}" if chain else "global chain", words)

    def add_row_fault(self, name: str, words: str) -> None:
        """Add a fault of a row."""
        self._add(f"row {name}", words)

    def _add(self, subject: str, words: str) -> None:
        """Count a fault; keep the descriptions of the first 1,000."""
        self.fault_count += 1
        if len(self.faults) < FAULTS_SHOWN:
            self.faults.append(f"{subject}: {words}")


async def verify(store: Store, audit: Audit, account_id: str) -> Finding:
    """Check one account's row and chain, also of a removed account. An empty id checks all, and compares them with each other.

    Raises NotFound.
    """
    finding = Finding()
    async with store.reading() as work:
        if account_id:
            head = await work.audit_log.head(account_id)
            try:
                account = await work.accounts.get(account_id)
            except NotAuthentic as error:
                finding.add_row_fault(error.metadata["row"], NOT_WRITTEN_HERE)
            else:
                if head == ChainHead() and account is None and not await work.audit_log.page(account_id, 0, 1):
                    raise NotFound.account(account_id)
            await _check(work.audit_log, audit, finding, [(account_id, head)], _Accounts())
        else:
            await _check_all(work, audit, finding)
    return finding


@dataclass(slots=True)
class _Accounts:
    """The accounts that exist or were removed according to the global chain, and those whose own chain records their creation."""

    expected: set[str] = field(default_factory=set)
    removed: set[str] = field(default_factory=set)
    begun: set[str] = field(default_factory=set)
    recorded: RecordedRows = field(default_factory=RecordedRows)

    def record(self, event: AuditEvent) -> None:
        self.recorded.record(event)
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
                finding.add_chain_fault(chain, "its end is stored, but it has no events")
        await _check(audit_log, audit, finding, page, accounts)
    async for page in _heads(audit_log, living=True):
        living.update(chain for chain, _ in page)
        await _check(audit_log, audit, finding, page, accounts)
    for account_id in sorted(accounts.expected - living):
        finding.add_chain_fault(account_id, "the account is missing, and no event records its removal")
    for account_id in sorted(accounts.expected & living - accounts.begun):
        finding.add_chain_fault(account_id, "only the global chain records its creation")
    for account_id in sorted(accounts.begun - accounts.expected):
        finding.add_chain_fault(account_id, "the global chain does not record its creation")
    for account_id in sorted(accounts.removed - living - ended):
        finding.add_chain_fault(account_id, "the account was removed, and its chain is missing")
    for chain in await audit_log.orphan_chains(FAULTS_SHOWN):
        finding.add_chain_fault(chain, "it has events, but its end is not stored")
    await check_rows(work.stored_rows(), accounts.recorded, finding.add_row_fault)


async def _heads(audit_log: AuditLog, *, living: bool) -> AsyncIterator[Sequence[tuple[str, ChainHead]]]:
    page = await audit_log.heads(living, "", _CHAINS_AT_ONCE)
    if not living:  # a page after the empty id leaves out the global chain, whose id is empty
        yield [(GLOBAL, await audit_log.head(GLOBAL))]
    while page:
        yield page
        page = await audit_log.heads(living, page[-1][0], _CHAINS_AT_ONCE)


async def _check(
    audit_log: AuditLog, audit: Audit, finding: Finding, chains: Sequence[tuple[str, ChainHead]], accounts: _Accounts
) -> None:
    """Read some chains event by event, and compare each with its stored end."""
    heads = dict(chains)
    ends = dict.fromkeys(heads, ChainHead())
    async for event in audit_log.events(list(heads)):
        finding.checked += 1
        before = ends[event.chain]
        if event.sequence != before.count + 1:
            finding.add_chain_fault(
                event.chain, f"an event is missing between events {before.count} and {event.sequence}"
            )
        if event.mac != audit.mac_of(event, before.mac):
            finding.add_chain_fault(event.chain, f"event {event.sequence} was changed, or an event before it was")
        if event.action == BROKEN_END:
            finding.add_chain_fault(event.chain, f"the stored end of the chain was wrong before event {event.sequence}")
        accounts.record(event)
        ends[event.chain] = ChainHead(event.sequence, event.mac)
    for chain, head in heads.items():
        end = ends[chain]
        if (end.count, end.mac) != (head.count, head.mac):
            finding.add_chain_fault(
                chain, f"it ends with event {end.count}, but its stored end counts {head.count} events"
            )
        if head.seal != audit.seal_of(chain, head):
            finding.add_chain_fault(chain, "its stored end was changed")
