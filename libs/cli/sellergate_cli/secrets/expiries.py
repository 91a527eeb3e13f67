"""`sellergate secrets list`: expiry of client secrets and authorizations."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from google.protobuf.message import Message
from sellergate.account.v1 import account_pb2, account_service_pb2
from sellergate_common.rpc.timestamps import from_datetime, read_time

from sellergate_cli.operator import StateDir, complete
from sellergate_cli.suite import connect
from sellergate_cli.terminal import harmless, say


def list_ends(
    days: Annotated[
        int, typer.Option(help="List active accounts whose authorization expires within this many days.")
    ] = 30,
    state_dir: StateDir = None,
) -> None:
    """List the client secret expiry of every application, and authorizations that expire soon."""
    complete(_print_ends(state_dir, datetime.now(UTC), timedelta(days=days)))


async def _print_ends(state_dir: Path | None, now: datetime, within: timedelta) -> None:
    async with connect(state_dir) as sellergate:
        say(f"{'application':36}  {'days left':>9}  {'secret ends':20}  {'old secret until':20}  owner, name")
        async for one in sellergate.applications.each():
            old = _shown(one, "previous_secret_expire_time")
            about = harmless(" ".join(filter(None, (one.owner_user_id or "(operator)", one.name))))
            ends = f"{_days_left(one, 'secret_expire_time', now):>9}  {_shown(one, 'secret_expire_time'):20}"
            say(f"{one.application_id:36}  {ends}  {old:20}  {about}")
        say(f"\n{'account':36}  {'days left':>9}  {'authorization ends':20}  seller, marketplace, user")
        async for account in sellergate.accounts.each(narrowed=_active_until(now + within)):
            about = harmless(f"{account.amazon_seller_id} {account.marketplace} {account.user_id}")
            left = _days_left(account, "authorization_expire_time", now)
            say(f"{account.account_id:36}  {left:>9}  {_shown(account, 'authorization_expire_time'):20}  {about}")
        say("Accounts whose authorization ends at an unknown time are not listed.", err=True)


def _active_until(end: datetime) -> account_service_pb2.AccountFilter:
    return account_service_pb2.AccountFilter(
        states=[account_pb2.ACCOUNT_STATE_ACTIVE], authorization_expire_before=from_datetime(end)
    )


def _shown(message: Message, field: str) -> str:
    time = read_time(message, field)
    return time.strftime("%Y-%m-%dT%H:%M:%SZ") if time else "-"


def _days_left(message: Message, field: str, now: datetime) -> str:
    time = read_time(message, field)
    return f"{(time - now) / timedelta(days=1):.1f}" if time else "unknown"
