"""`sellergate secrets rotate`: requests a new client secret from Amazon and waits until it is stored."""

import asyncio
import time
from typing import TYPE_CHECKING, Annotated

import typer

from sellergate_cli.operator import SentenceError, StateDir, complete
from sellergate_cli.terminal import say

if TYPE_CHECKING:
    import grpc
    from sellergate.account.v1.application_pb2 import Application

PATH = "/applications/2023-11-30/clientSecret"
_POLL_SECONDS = 1.0
_SERVICE = "account"


def rotate(
    application_id: Annotated[str, typer.Argument(help="Application ID, as `sellergate secrets list` shows it.")],
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait until the new secret is stored.")] = 300,
    state_dir: StateDir = None,
) -> None:
    """Rotate an application's client secret at Amazon. Needs an operator's certificate.

    Amazon sends the new secret only to the application's SQS queue (docs/rotation.md), from which the token service stores it.
    """
    if complete(_rotate(state_dir, application_id, wait)):
        say("The new client secret is stored. The previous one is valid for up to 7 more days.")
        return
    say(
        "Amazon created a new client secret and sends it to the application's queue. "
        + (
            "It is not stored yet. Check that the token service consumes this queue."
            if wait
            else "The command did not wait."
        ),
        err=wait > 0,
    )
    raise typer.Exit(1 if wait else 0)


async def _rotate(state_dir: "StateDir", application_id: str, wait: float) -> bool:
    """Start the rotation; return whether the new secret was stored within `wait` seconds."""
    from sellergate_client import Sellergate  # noqa: PLC0415
    from sellergate_common.identity.tls import Identity  # noqa: PLC0415
    from sellergate_common.rpc.channel import open_channel  # noqa: PLC0415

    from sellergate_cli.settings import operator_settings  # noqa: PLC0415

    settings = operator_settings(state_dir)
    identity = Identity.read(settings)
    async with (
        open_channel(settings.account_target, _SERVICE, identity, ()) as channel,
        Sellergate.connect(
            settings.gateway_target, settings.account_target, identity, settings.token_target
        ) as sellergate,
    ):
        before = await _application(channel, application_id)
        account_id = await _account_of(channel, application_id)
        # The operation exists only in production, so it goes there for sandbox accounts too.
        await sellergate.call(account_id, "POST", PATH, sandbox=False)
        end = time.monotonic() + wait
        while time.monotonic() < end:
            await asyncio.sleep(min(_POLL_SECONDS, max(0.0, end - time.monotonic())))
            if (await _application(channel, application_id)).etag != before.etag:
                return True
    return False


async def _application(channel: "grpc.aio.Channel", application_id: str) -> "Application":
    from sellergate.account.v1 import application_service_pb2 as pb2  # noqa: PLC0415
    from sellergate.account.v1.application_service_pb2_grpc import ApplicationServiceStub  # noqa: PLC0415
    from sellergate_common.rpc.channel import invoke  # noqa: PLC0415

    request = pb2.GetApplicationRequest(application_id=application_id)
    response = await invoke(ApplicationServiceStub(channel).GetApplication, request, dependency=_SERVICE)
    return response.application


async def _account_of(channel: "grpc.aio.Channel", application_id: str) -> str:
    """Return an account of the application, from which the gateway derives the application and Amazon's host."""
    from sellergate.account.v1 import account_pb2, account_service_pb2  # noqa: PLC0415
    from sellergate.account.v1.account_service_pb2_grpc import AccountServiceStub  # noqa: PLC0415
    from sellergate_common.rpc.channel import invoke  # noqa: PLC0415

    usable = [account_pb2.ACCOUNT_STATE_ACTIVE, account_pb2.ACCOUNT_STATE_AUTHORIZATION_REVOKED]
    narrowed = account_service_pb2.AccountFilter(states=usable, application_id=application_id)
    request = account_service_pb2.ListAccountsRequest(filter=narrowed, page_size=1)
    page = await invoke(AccountServiceStub(channel).ListAccounts, request, dependency=_SERVICE)
    if not page.accounts:
        raise SentenceError(
            "No account uses this application, so Sellergate cannot call Amazon for it. Rotate its secret in Amazon's developer"
            " console and send the new one to the webhook (docs/rotation.md)."
        )
    return page.accounts[0].account_id
