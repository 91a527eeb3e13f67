"""Connections of a command to the suite, with the operator's certificate."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
from sellergate.gateway.v1 import capture_service_pb2_grpc
from sellergate.token.v1 import token_service_pb2, token_service_pb2_grpc
from sellergate_client import Sellergate
from sellergate_client.settings import ClientSettings
from sellergate_common.identity.tls import Identity
from sellergate_common.rpc.channel import open_channel
from sellergate_common.settings import Settings, SettingsError, read_settings

from sellergate_cli.operator import SentenceError
from sellergate_cli.settings import RUN_FILE, operator_settings, read_run

_TOKEN = token_service_pb2.DESCRIPTOR.services_by_name["TokenService"]


def identity_of(settings: ClientSettings) -> Identity:
    """Read the operator's certificate. Raises SettingsError."""
    try:
        return Identity.read(settings)
    except OSError as error:
        raise SettingsError(
            [f"cannot read the operator's certificate: {error.strerror}; check SELLERGATE_TLS_CERT_FILE and …_KEY_FILE"]
        ) from None


@asynccontextmanager
async def connect(state_dir: Path | None) -> AsyncIterator[Sellergate]:
    """Open the client library with the operator's certificate. Raises SettingsError."""
    settings = await asyncio.to_thread(operator_settings, state_dir)
    identity = identity_of(settings)
    targets = settings.gateway_target, settings.account_target
    async with Sellergate.connect(*targets, identity, settings.token_target) as sellergate:
        yield sellergate


@asynccontextmanager
async def token_service(state_dir: Path | None) -> AsyncIterator["token_service_pb2_grpc.TokenServiceAsyncStub"]:
    """Open a channel to the token service. Raises SettingsError."""
    settings = await asyncio.to_thread(operator_settings, state_dir)
    async with open_channel(settings.token_target, "token", identity_of(settings), [_TOKEN]) as channel:
        yield _stub(channel)


@asynccontextmanager
async def capture_service(state_dir: Path | None) -> AsyncIterator["capture_service_pb2_grpc.CaptureServiceAsyncStub"]:
    """Open a channel to the gateway's captures. Raises SettingsError."""
    settings = await asyncio.to_thread(operator_settings, state_dir)
    async with open_channel(settings.gateway_target, "gateway", identity_of(settings), ()) as channel:
        yield _captures(channel)


def account_or_demo(account_id: str, state_dir: Path | None) -> str:
    """Return the given account ID, or that of a local run's demo account. Raises SentenceError."""
    if account_id:
        return account_id
    file = (state_dir or read_settings(Settings).state_dir) / RUN_FILE
    try:
        found = str(read_run(file)["account_id"])
    except (OSError, ValueError, KeyError):
        raise SentenceError("No account is named. Give --account, or set SELLERGATE_ACCOUNT_ID.") from None
    return found


def _captures(channel: grpc.aio.Channel) -> "capture_service_pb2_grpc.CaptureServiceAsyncStub":
    return capture_service_pb2_grpc.CaptureServiceStub(channel)


def _stub(channel: grpc.aio.Channel) -> "token_service_pb2_grpc.TokenServiceAsyncStub":
    return token_service_pb2_grpc.TokenServiceStub(channel)
