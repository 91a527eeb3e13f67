"""Every RPC as every identity, against the table of docs/threat-model.md."""

import asyncio
import re
from collections.abc import Iterator

import grpc
import pytest
from google.rpc.error_details_pb2 import ErrorInfo
from grpc_status import rpc_status
from sellergate.account.v1 import (
    account_admin_service_pb2,
    account_secrets_service_pb2,
    account_service_pb2,
    application_service_pb2,
    drop_in_client_service_pb2,
)
from sellergate.gateway.v1 import capture_service_pb2, gateway_service_pb2
from sellergate.iam.v1 import iam_service_pb2
from sellergate.token.v1 import token_service_pb2
from sellergate_common.rpc.channel import open_channel
from sellergate_devstack.suite import Suite

from tests.paths import ROOT

PAGE = (ROOT / "docs" / "threat-model.md").read_text()
CONTRACTS = {
    "account": (
        account_admin_service_pb2,
        account_secrets_service_pb2,
        account_service_pb2,
        application_service_pb2,
        drop_in_client_service_pb2,
    ),
    "token": (token_service_pb2,),
    "iam": (iam_service_pb2,),
    "gateway": (gateway_service_pb2, capture_service_pb2),
}
IDENTITIES = ("edge", "gateway", "token", "iam", "account", "client/demo", "operator", "stranger")
ALONE = "DropInClientService/AuthenticateClient"
WITHOUT_USER = {ALONE, "TokenService/HandleRotation", "TokenService/CompleteAuthorization"}
# They change data that other tests read; neighbouring RPCs test the same rights of the layers below.
LEFT_OUT = {"TokenService/ClearTokenCache", "IamService/ClearCredentialsCache"}


def rpcs() -> Iterator[tuple[str, str]]:
    """Return every RPC with the service that serves it."""
    for server, modules in CONTRACTS.items():
        for module in modules:
            for service in module.DESCRIPTOR.services_by_name.values():
                yield from ((server, f"{service.full_name}/{method.name}") for method in service.methods)


def table() -> dict[str, str]:
    rows = re.findall(r"^\| `([a-z/<>]+)` \| (.+) \|$", PAGE, re.MULTILINE)
    return {name.replace("<name>", "demo"): cell.partition(";")[0] for name, cell in rows}


def written(identity: str, rpc: str) -> bool:
    """Return the text of a cell of the table."""
    service, name = rpc.rpartition(".")[2].split("/")
    cell = table().get(identity, "nothing")
    if f"{service} (not {name})" in cell:
        return False
    cell = re.sub(r" \(not \w+\)", "", cell)
    if cell.startswith("everything but "):
        return not {service, f"{service}/{name}"} & set(re.findall(r"[A-Z]\w+(?:/\w+)?", cell))
    return bool({service, f"{service}/{name}"} & set(cell.split(", ")))


async def access_of(channel: grpc.aio.Channel, rpc: str, user: str) -> str:
    """Call with an empty message; return REFUSED, NO_USER, or LET_IN for any result after the check of the identity."""
    metadata = (("on_behalf_of", user),) if user else ()
    call = channel.stream_stream(f"/{rpc}")(iter([b""]), timeout=10, metadata=metadata)
    try:
        async for _ in call:
            pass
    except grpc.aio.AioRpcError as error:
        status = rpc_status.from_call(error)  # type: ignore[arg-type]
        info = ErrorInfo()
        for detail in status.details if status else ():
            detail.Unpack(info)
        return {"CALLER_NOT_ALLOWED": "REFUSED", "CALLER_UNAUTHENTICATED": "NO_USER"}.get(info.reason, "LET_IN")
    return "LET_IN"


def expected(identity: str, rpc: str, user: str) -> str:
    name = rpc.rpartition(".")[2]
    if not written(identity, rpc):
        return "REFUSED"
    if identity != "edge":
        return "REFUSED" if user else "LET_IN"
    return "LET_IN" if user or name in WITHOUT_USER else "NO_USER"


@pytest.mark.parametrize("user", ["", "u1"])
@pytest.mark.parametrize("identity", IDENTITIES)
async def test_every_cell_matches_the_table(suite: Suite, identity: str, user: str) -> None:
    assert set(table()) == {"edge", "gateway", "token", "iam", "account", "client/demo", "operator"}
    channels = {
        server: open_channel(suite.target(server), server, suite.identity(identity), []) for server in CONTRACTS
    }
    wanted = [(server, rpc) for server, rpc in rpcs() if rpc.rpartition(".")[2] not in LEFT_OUT]
    assert len(wanted) > 40
    found = await asyncio.gather(*(access_of(channels[server], rpc, user) for server, rpc in wanted))
    wrong = {
        rpc: (seen, expected(identity, rpc, user))
        for (_, rpc), seen in zip(wanted, found, strict=True)
        if seen != expected(identity, rpc, user)
    }
    for channel in channels.values():
        await channel.close()
    assert wrong == {}
