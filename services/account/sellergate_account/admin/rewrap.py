"""Re-wrapping: all secrets are sealed, and all rows' MACs made, again under the newest key while the service runs.

Afterwards an old key can be removed from the ring. Each batch is one transaction, and rows under the newest key are skipped,
so that an interrupted run can be started again.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from sellergate_common.observability.logs import get_logger

from sellergate_account.audit import Audit
from sellergate_account.changes.retry import retry_transaction
from sellergate_account.ports.rewrapper import Rewrapper
from sellergate_account.ports.unit_of_work import Store

DEFAULT_BATCH = 200


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of a re-wrap: rows sealed again and skipped so far, all rows, and rows of the last batch that did not open."""

    rewrapped: int
    skipped: int
    total: int
    unopened_ids: tuple[str, ...]


async def rewrap(store: Store, rewrapper: Rewrapper, audit: Audit, batch_size: int) -> AsyncIterator[Progress]:
    """Re-wrap all tables; yield the progress after each batch. The beginning and the end are recorded in the audit log."""
    await retry_transaction(store, lambda work: audit.record(work.audit_log, "secrets.rewrap_started"))
    total = sum([await rewrapper.count(table) for table in rewrapper.tables])
    rewrapped = skipped = unopened = 0
    for table in rewrapper.tables:
        after_id = ""
        while True:
            batch = await rewrapper.rewrap(table, after_id, batch_size or DEFAULT_BATCH)
            rewrapped += batch.rewrapped
            skipped += batch.skipped
            unopened += len(batch.unopened_ids)
            yield Progress(rewrapped, skipped, total, batch.unopened_ids)
            if not batch.last_id:
                break
            after_id = batch.last_id
    outcome = f"rewrapped {rewrapped}, skipped {skipped}, unopened {unopened}"
    await retry_transaction(store, lambda work: audit.record(work.audit_log, "secrets.rewrapped", detail=outcome))


async def adopt(store: Store, rewrapper: Rewrapper, audit: Audit) -> None:
    """Make the MACs of all rows of an earlier release; the audit log records it as a re-wrap."""
    async for step in rewrap(store, rewrapper, audit, DEFAULT_BATCH):
        if step.unopened_ids:
            get_logger().error("rows_not_adopted", ids=step.unopened_ids)
