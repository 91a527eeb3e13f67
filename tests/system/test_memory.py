"""The memory of every process, idle and after 50,000 and 100,000 calls: completed calls leave no memory behind."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from sellergate.account.v1.account_service_pb2 import GetAccountRequest
from sellergate.iam.v1.iam_service_pb2 import AssumeRoleRequest
from sellergate.token.v1.token_service_pb2 import GetAccessTokenRequest
from sellergate_common.rpc.channel import open_channel
from sellergate_devstack.processes.ports import free_ports
from sellergate_devstack.settings import DevstackSettings
from sellergate_devstack.suite import Suite, running_suite

from benches.bench_edge import Connections
from benches.suites import PATH, running
from tests.e2e.conftest import Rest, ephemeral_ports
from tests.e2e.sellers import Seller
from tests.system.processes import NAMES, megabytes, processor_seconds

CALLS, CALLERS, GROWTH = 50_000, 8, 1.10
# Calls that the main path makes to these processes only for cold accounts, made directly here.
DIRECT: dict[str, tuple[str, Any]] = {
    "account": ("/sellergate.account.v1.AccountService/GetAccount", GetAccountRequest),
    "token": ("/sellergate.token.v1.TokenService/GetAccessToken", GetAccessTokenRequest),
    "iam": ("/sellergate.iam.v1.IamService/AssumeRole", AssumeRoleRequest),
}
Call = Callable[[], Awaitable[object]]


async def called(call: Call) -> None:
    """Make a number of calls, several at once."""
    left = iter(range(CALLS))

    async def caller() -> None:
        for _ in left:
            await call()

    await asyncio.gather(*(caller() for _ in range(CALLERS)))


async def calls_of(suite: Suite, account_id: str, stack: AsyncExitStack) -> list[Call]:
    """Return a call for each process; the edge's passes through the gateway."""
    path = f"/api/amazon/accounts/{account_id}/sp-api{PATH}"
    head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {suite.jwt('u1')}\r\n\r\n".encode()
    rest = Connections(suite.plan.port("edge"), head)
    stack.push_async_callback(rest.close)
    calls: list[Call] = [rest.call]
    for name, (method, kind) in DIRECT.items():
        channel = open_channel(suite.target(name), name, suite.identity("operator"), [])
        rpc: Any = (await stack.enter_async_context(channel)).unary_unary(method)
        request = kind(account_id=account_id).SerializeToString()
        calls.append(lambda rpc=rpc, request=request: rpc(request, timeout=10))  # type: ignore[misc]
    return calls


@pytest.mark.timeout(900)
async def test_memory_does_not_grow_with_calls(
    tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (port,) = free_ports(1)
    monkeypatch.setenv("DATABASE_URL", postgres_url)
    # The simulator would take most of the time, so it only issues tokens and credentials; a fast upstream sends the responses.
    monkeypatch.setenv("SELLERGATE_SPAPI_ENDPOINT_NA", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("SELLERGATE_QUOTA_MODE", "shadow")  # counted without a waiting caller
    monkeypatch.setenv("SELLERGATE_USER_RATE", "100000")
    monkeypatch.setenv("SELLERGATE_USER_BURST", "100000")
    settings = DevstackSettings(state_dir=tmp_path / "s", simulator="on", **ephemeral_ports())
    with running([sys.executable, "-m", "benches.servers.upstream", str(port), "0"], port):
        async with AsyncExitStack() as stack:
            enter = stack.enter_async_context
            suite = await enter(running_suite(settings, lambda _: None))
            http = await enter(httpx.AsyncClient(base_url=suite.edge, timeout=30, trust_env=False))
            control = await enter(httpx.AsyncClient(base_url=suite.simulator or "", timeout=10, trust_env=False))
            account_id = await Rest(suite, http).connect(await Seller.seeded(control))
            sizes = [megabytes(suite)]
            calls = await calls_of(suite, account_id, stack)
            await calls[0]()
            for _ in range(2):
                before = processor_seconds(suite)
                await asyncio.gather(*(called(call) for call in calls))
                after = processor_seconds(suite)
                sizes.append(megabytes(suite))
    print(f"\n{'MiB':8} idle   {CALLS} {2 * CALLS}")
    for name in NAMES:
        print(f"{name:8}" + "".join(f"{size[name]:6.1f}" for size in sizes))
    spent = {name: (after[name] - before[name]) / CALLS * 1000 for name in after}
    print("ms of a processor for a call: " + ", ".join(f"{name} {each:.2f}" for name, each in spent.items()))
    assert {name: size for name, size in sizes[2].items() if size > sizes[1][name] * GROWTH} == {}
