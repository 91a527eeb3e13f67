"""Runs a change in a transaction, again from its start when another transaction stored the same key first."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from sellergate_common.errors import Unavailable

from sellergate_account.changes.idempotency import current
from sellergate_account.ports.errors import DuplicateKey
from sellergate_account.ports.unit_of_work import Store, UnitOfWork

ATTEMPTS = 5

_Result = TypeVar("_Result")


async def retry_transaction(store: Store, change: Callable[[UnitOfWork], Awaitable[_Result]]) -> _Result:
    """Return what `change` returns, committed. Raises Unavailable when others were first every time.

    Within a writing request (`idempotency`) the change is that request's: its response is made in the same transaction.
    """
    once = current()
    for _ in range(ATTEMPTS):
        try:
            async with store.writing() as work:
                return await (once.carry_out(work, change) if once else change(work))
        except DuplicateKey:
            continue
    raise Unavailable("The same row is being written by many at once; try again.", retry_after=1.0)
