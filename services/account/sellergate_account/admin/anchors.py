"""The comparison of logged anchors with the database, which also detects a database that was restored as a whole."""

from collections.abc import AsyncIterator, Sequence

from sellergate_account.admin.audit_check import Finding
from sellergate_account.model import Anchor
from sellergate_account.ports.unit_of_work import Store, UnitOfWork


async def verify_anchors(store: Store, batches: AsyncIterator[Sequence[Anchor]]) -> Finding:
    """Check that each anchor's event is stored, and that no account is at an earlier revision than its anchors."""
    finding, newest = Finding(), dict[str, int]()
    async for anchors in batches:
        async with store.reading() as work:
            macs = await work.audit_log.macs([(anchor.chain, anchor.number) for anchor in anchors])
        for anchor in anchors:
            finding.checked += 1
            mac = macs.get((anchor.chain, anchor.number))
            if mac is None:
                finding.add_chain_fault(
                    anchor.chain, f"event {anchor.number} was logged and is missing in the database"
                )
            elif mac != anchor.mac:
                finding.add_chain_fault(anchor.chain, f"event {anchor.number} differs from the event that was logged")
            newest[anchor.chain] = max(newest.get(anchor.chain, 0), anchor.revision)
    async with store.reading() as work:
        await _check_revisions(work, newest, finding)
    return finding


async def _check_revisions(work: UnitOfWork, newest: dict[str, int], finding: Finding) -> None:
    async for row in work.stored_rows():
        if row.table == "accounts" and row.is_authentic and row.values["revision"] < newest.get(row.key[0], 0):
            words = f"it is at revision {row.values['revision']}, but revision {newest[row.key[0]]} was logged"
            finding.add_row_fault(row.name, words)
