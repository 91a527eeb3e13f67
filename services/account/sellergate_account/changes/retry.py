"""Transactions that are repeated from their start after a conflict with another transaction."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from sellergate_common.errors import Unavailable

from sellergate_account.changes.idempotency import current
from sellergate_account.ports.errors import DuplicateKey
from sellergate_account.ports.unit_of_work import Store, UnitOfWork

ATTEMPTS = 5

_Result = TypeVar("_Result")


async def retry_transaction(store: Store, change: Callable[[UnitOfWork], Awaitable[_Result]]) -> _Result:
    """Return the result of `change` once it is committed. Raises Unavailable when every attempt met a conflict.

    Within a writing request (`idempotency`) the change belongs to that request, whose response is stored in the same transaction.
    """
    once = current()
    for _ in range(ATTEMPTS):
        try:
            async with store.writing() as work:
                return await (once.carry_out(work, change) if once else change(work))
        except DuplicateKey:
            continue
    raise Unavailable(
        "Other requests are changing the same row, and nothing was changed; send the request again.", retry_after=1.0
    )
