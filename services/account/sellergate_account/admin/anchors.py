"""Checks that what was logged of audit events is in the database: also a database that was put back as a whole is found."""

from collections.abc import AsyncIterator, Sequence

from sellergate_account.admin.audit_check import Finding
from sellergate_account.model import Anchor
from sellergate_account.ports.unit_of_work import Store, UnitOfWork


async def verify_anchors(store: Store, batches: AsyncIterator[Sequence[Anchor]]) -> Finding:
    """Check each anchor's event, and that no account is at an earlier revision than an anchor of it."""
    finding, newest = Finding(), dict[str, int]()
    async for anchors in batches:
        async with store.reading() as work:
            macs = await work.audit_log.macs([(anchor.chain, anchor.number) for anchor in anchors])
        for anchor in anchors:
            finding.checked += 1
            mac = macs.get((anchor.chain, anchor.number))
            if mac is None:
                finding.fault(anchor.chain, f"event {anchor.number} was logged, and is gone")
            elif mac != anchor.mac:
                finding.fault(anchor.chain, f"event {anchor.number} is another one than was logged")
            newest[anchor.chain] = max(newest.get(anchor.chain, 0), anchor.revision)
    async with store.reading() as work:
        await _check_revisions(work, newest, finding)
    return finding


async def _check_revisions(work: UnitOfWork, newest: dict[str, int], finding: Finding) -> None:
    async for row in work.stored_rows():
        if row.table == "accounts" and row.is_authentic and row.values["revision"] < newest.get(row.key[0], 0):
            words = f"it is at revision {row.values['revision']}, and {newest[row.key[0]]} was logged"
            finding.row_fault(row.name, words)
