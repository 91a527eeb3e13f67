"""Removal of old changes from the list: each stays for ten minutes at least, twice as long as a cursor is usable."""

from collections.abc import Awaitable, Callable

from sellergate_common.errors import SellergateError
from sellergate_common.observability.logs import get_logger

from sellergate_account.ports.change_log import ChangeLog

RETENTION_SECONDS = 600.0
REMOVED_AT_ONCE, MOST_BATCHES = 500, 200


async def remove_old_changes(log: ChangeLog, sleep: Callable[[float], Awaitable[None]]) -> None:
    """Remove old changes every ten minutes, in batches, until cancelled. While the database is down, they stay.

    A change is removed if its transaction had ended ten minutes before. The time of the change itself would not do: other processes
    see the change only after the commit, and a transaction may stay open for longer than ten minutes.
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
