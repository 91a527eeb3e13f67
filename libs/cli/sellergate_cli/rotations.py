"""`sellergate secrets list`: which client secrets and authorizations end, and when."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Annotated

import grpc
import typer
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from sellergate.account.v1 import (
    account_pb2,
    account_service_pb2,
    account_service_pb2_grpc,
    application_pb2,
    application_service_pb2,
    application_service_pb2_grpc,
)
from sellergate_client.settings import ClientSettings
from sellergate_common.channel import invoke, open_channel
from sellergate_common.errors import SellergateError
from sellergate_common.settings import load_settings
from sellergate_common.tls import Identity

_SERVICE = "account"
_PAGE = 500


def list_ends(
    days: Annotated[int, typer.Option(help="Show active accounts whose authorization ends within so many days.")] = 30,
) -> None:
    """Print every application's secret, and the authorizations that end soon. Needs an operator's certificate."""
    settings = load_settings(ClientSettings)
    try:
        asyncio.run(_print_ends(settings, datetime.now(UTC), timedelta(days=days)))
    except SellergateError as error:
        typer.echo(f"{error.reason}: {error.message}", err=True)
        raise typer.Exit(1) from None


async def _print_ends(settings: ClientSettings, now: datetime, within: timedelta) -> None:
    async with open_channel(settings.account_target, _SERVICE, Identity.read(settings), ()) as channel:
        typer.echo(f"{'application':36}  {'days left':>9}  {'secret ends':20}  {'old secret until':20}  owner, name")
        async for one in _applications(channel):
            old = _shown(one, "previous_secret_expire_time")
            about = " ".join(filter(None, (one.owner_user_id or "(operator)", one.name)))
            ends = f"{_days_left(one, 'secret_expire_time', now):>9}  {_shown(one, 'secret_expire_time'):20}"
            typer.echo(f"{one.application_id:36}  {ends}  {old:20}  {about}")
        typer.echo(f"\n{'account':36}  {'days left':>9}  {'authorization ends':20}  seller, marketplace, user")
        async for account in _accounts(channel, now + within):
            about = f"{account.amazon_seller_id} {account.marketplace} {account.user_id}"
            left = _days_left(account, "authorization_expire_time", now)
            typer.echo(
                f"{account.account_id:36}  {left:>9}  {_shown(account, 'authorization_expire_time'):20}  {about}"
            )


async def _applications(channel: grpc.aio.Channel) -> AsyncIterator[application_pb2.Application]:
    stub, token = application_service_pb2_grpc.ApplicationServiceStub(channel), ""
    while True:
        request = application_service_pb2.ListApplicationsRequest(page_size=_PAGE, page_token=token)
        page = await invoke(stub.ListApplications, request, dependency=_SERVICE)
        for application in page.applications:
            yield application
        token = page.next_page_token
        if not token:
            return


async def _accounts(channel: grpc.aio.Channel, before: datetime) -> AsyncIterator[account_pb2.Account]:
    stub, token, end = account_service_pb2_grpc.AccountServiceStub(channel), "", Timestamp()
    end.FromDatetime(before)
    narrowed = account_service_pb2.AccountFilter(
        states=[account_pb2.ACCOUNT_STATE_ACTIVE], authorization_expire_before=end
    )
    while True:
        request = account_service_pb2.ListAccountsRequest(filter=narrowed, page_size=_PAGE, page_token=token)
        page = await invoke(stub.ListAccounts, request, dependency=_SERVICE)
        for account in page.accounts:
            yield account
        token = page.next_page_token
        if not token:
            return


def _time(message: Message, field: str) -> datetime | None:
    if not message.HasField(field):
        return None
    stamp: Timestamp = getattr(message, field)
    return stamp.ToDatetime(tzinfo=UTC)


def _shown(message: Message, field: str) -> str:
    time = _time(message, field)
    return time.strftime("%Y-%m-%dT%H:%M:%SZ") if time else "-"


def _days_left(message: Message, field: str, now: datetime) -> str:
    time = _time(message, field)
    return f"{(time - now) / timedelta(days=1):.1f}" if time else "unknown"
