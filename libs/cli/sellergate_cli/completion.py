"""Completion of operation names and account IDs in the shell. What cannot be read in time completes nothing."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import typer

_MOST = 500
# Seconds; the operator has pressed a key and waits.
_WAIT_SECONDS = 3.0


def complete_operation(incomplete: str) -> list[str]:
    """Return the names and unambiguous IDs of operations that begin with a text; case is ignored."""
    from sellergate_amazon.operations import Catalogue  # noqa: PLC0415

    names = [one.name for one in Catalogue.load()]
    ids = [name.rpartition("/")[2] for name in names]
    offered = [one for one in ids if ids.count(one) == 1] + names
    return [one for one in offered if one.lower().startswith(incomplete.lower())]


def complete_account(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Return the IDs of accounts that begin with a text, each with its seller."""
    from sellergate_common.errors import SellergateError  # noqa: PLC0415
    from sellergate_common.settings import SettingsError  # noqa: PLC0415

    state_dir = context.params.get("state_dir")
    try:
        return asyncio.run(asyncio.wait_for(_accounts(state_dir, incomplete), _WAIT_SECONDS))
    except (SellergateError, SettingsError, TimeoutError, OSError):
        return []


async def _accounts(state_dir: Path | None, incomplete: str) -> list[tuple[str, str]]:
    from sellergate.account.v1.account_service_pb2 import ListAccountsRequest  # noqa: PLC0415

    from sellergate_cli.suite import connect  # noqa: PLC0415

    async with connect(state_dir) as sellergate:
        page = await sellergate.accounts.list(ListAccountsRequest(page_size=_MOST))

    def found() -> Iterator[tuple[str, str]]:
        for account in page.accounts:
            if account.account_id.startswith(incomplete):
                yield account.account_id, f"{account.amazon_seller_id} {account.marketplace}"

    return list(found())
