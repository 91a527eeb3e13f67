"""Decides how long changes stay in the list: ten minutes at least, twice as long as a cursor is usable."""

from collections.abc import Awaitable, Callable

from sellergate_common.errors import SellergateError
from sellergate_common.observability.logs import get_logger

from sellergate_account.ports.change_log import ChangeLog

RETENTION_SECONDS = 600.0
REMOVED_AT_ONCE, MOST_BATCHES = 500, 200


async def remove_old_changes(log: ChangeLog, sleep: Callable[[float], Awaitable[None]]) -> None:
    """Remove changes every ten minutes, in batches; while the database is down, later.

    A change goes where it was settled ten minutes ago already. Its own time would say less: a transaction may stay open for longer
    before it commits, and processes see its change only then.
    """
    settled = None
    while True:
        await sleep(RETENTION_SECONDS)
        try:
            if settled is not None:
                await _remove(log, settled)
            settled = await log.settled()
        except SellergateError as error:
            get_logger().warning("old_changes_kept", reason=error.reason)


async def _remove(log: ChangeLog, before: int) -> None:
    for _ in range(MOST_BATCHES):
        if await log.remove(before, REMOVED_AT_ONCE) < REMOVED_AT_ONCE:
            return
