"""The client library without await beside threads and a fork, over a real connection."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sellergate.gateway.v1 import call_pb2
from sellergate.gateway.v1.gateway_service_pb2_grpc import GatewayServiceServicer, add_GatewayServiceServicer_to_server
from sellergate_client import sync

from tests.conftest import TestAuthority
from tests.integration import servers

LONG = 60.0
THREADS = 20
FORK = """
import json, os, sys
from sellergate_client import ClientUseError, SellergateError
from sellergate_client.sync import SellingPartner

def tried(call):
    try:
        return call().status
    except (ClientUseError, SellergateError) as error:
        return type(error).__name__

def own():
    with SellingPartner("a", seconds=20) as partner:
        return partner.get("/own")

with SellingPartner("a", seconds=20) as partner:
    before = partner.get("/before").status
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        found = [tried(lambda: partner.get("/inherited")), tried(own)]
        os.write(writing, json.dumps(found).encode())
        os._exit(0)
    os.close(writing)
    found = json.loads(os.read(reading, 1000) or "null")
    os.waitpid(child, 0)
    print(json.dumps([before, found, partner.get("/after").status]))
"""


class Gateway(GatewayServiceServicer):  # type: ignore[misc]
    """Returns the path of each call. Calls of /together wait until all threads have made one."""

    def __init__(self) -> None:
        self.paths = list[str]()
        self.together = asyncio.Barrier(THREADS)

    async def Call(self, request: call_pb2.CallRequest, context: Any) -> call_pb2.CallResponse:  # noqa: N802
        self.paths.append(request.path)
        if request.path.startswith("/together"):
            await self.together.wait()
        return call_pb2.CallResponse(http_status=200, body=request.path.encode())


@pytest.fixture
async def gateway(authority: TestAuthority, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Gateway]:
    """Run a gateway whose address is in the environment."""
    found = Gateway()
    adding = {add_GatewayServiceServicer_to_server: found}
    async with servers.serving("gateway", authority.identity("gateway"), adding) as target:
        ca, certificate, key = map(str, authority.files("client/demo"))
        targets = dict.fromkeys(("GATEWAY_TARGET", "ACCOUNT_TARGET", "TOKEN_TARGET"), target)
        files = {"TLS_CA_FILE": ca, "TLS_CERT_FILE": certificate, "TLS_KEY_FILE": key}
        for name, value in (targets | files).items():
            monkeypatch.setenv(f"SELLERGATE_{name}", value)
        yield found


async def test_a_forked_process_is_refused_every_client_and_never_waits(gateway: Gateway) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        FORK,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), LONG)
    except TimeoutError:
        os.killpg(process.pid, signal.SIGKILL)  # with the forked process, which holds the pipes
        raise
    before, in_child, after = json.loads(out.splitlines()[-1]) if out else pytest.fail(err.decode())
    assert (before, in_child, after) == (200, ["ClientUseError", "ClientUseError"], 200), err.decode()
    assert gateway.paths == ["/before", "/after"]


async def test_a_call_that_blocks_a_running_event_loop_warns_at_its_line(gateway: Gateway) -> None:
    def program() -> list[str]:
        async def main() -> list[str]:
            with pytest.warns(RuntimeWarning, match="asyncio.to_thread") as warned, sync.SellingPartner("a") as partner:
                paths = [partner.get("/blocks").body.decode()]
            assert {warning.filename for warning in warned} == {__file__}
            return paths

        return asyncio.run(main())

    assert await asyncio.to_thread(program) == ["/blocks"]


async def test_twenty_threads_share_one_client(gateway: Gateway) -> None:
    def program() -> list[str]:
        with sync.SellingPartner("a", seconds=LONG) as partner, ThreadPoolExecutor(THREADS) as threads:
            paths = [f"/together/{number}" for number in range(THREADS)]
            return [response.body.decode() for response in threads.map(partner.get, paths)]

    assert await asyncio.to_thread(program) == [f"/together/{number}" for number in range(THREADS)]
    assert len(gateway.paths) == THREADS
