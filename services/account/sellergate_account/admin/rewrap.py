"""Seals every secret and makes every row's MAC again under the newest key while everything runs.

An old key can be taken out of the ring then. Each batch is one transaction, and what is under the newest key is left alone: a
run that was interrupted is begun again, and what was done stays done.
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
    """Rows sealed again and rows left alone so far, rows in all, and the rows that did not open since the step before."""

    rewrapped: int
    skipped: int
    total: int
    unopened_ids: tuple[str, ...]


async def rewrap(store: Store, rewrapper: Rewrapper, audit: Audit, batch_size: int) -> AsyncIterator[Progress]:
    """Go through all tables and yield a step after each batch; the last step is the whole. Its beginning and end are recorded."""
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
    """Give every row of an earlier release its MAC; recorded as a re-wrap."""
    async for step in rewrap(store, rewrapper, audit, DEFAULT_BATCH):
        if step.unopened_ids:
            get_logger().error("rows_not_adopted", ids=step.unopened_ids)
