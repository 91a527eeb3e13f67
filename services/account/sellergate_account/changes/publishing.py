"""The publication of an account's change, whatever the result of COMMIT."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from sellergate_account.changes.retry import retry_transaction
from sellergate_account.model import Account
from sellergate_account.ports.change_publisher import ChangePublisher
from sellergate_account.ports.unit_of_work import Store, UnitOfWork

_Result = TypeVar("_Result")


async def write_and_publish(
    store: Store, publisher: ChangePublisher, change: Callable[[UnitOfWork], Awaitable[_Result]], account_id: str = ""
) -> _Result:
    """Run a change in a transaction, again after a conflict, and publish that its account changed.

    `account_id` names the account of a change that returns none. A change whose outcome is unknown is published too, since it may
    be stored.
    """
    changed = ""

    async def write(work: UnitOfWork) -> _Result:
        nonlocal changed
        changed = ""
        result = await change(work)
        account = result[0] if isinstance(result, tuple) else result
        changed = account.account_id if isinstance(account, Account) else account_id
        return result

    try:
        return await retry_transaction(store, write)
    finally:
        if changed:
            await publisher.publish(changed)
