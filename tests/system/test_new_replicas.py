"""A new replica behind a name gets its share of calls from clients with older connections."""

import asyncio
import socket
import struct
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest
from sellergate.account.v1.account_service_pb2 import ListAccountsRequest
from sellergate.account.v1.account_service_pb2_grpc import AccountServiceStub
from sellergate_common.rpc.channel import invoke, open_channel
from sellergate_devstack.processes.probes import grpc_serves
from sellergate_devstack.processes.supervisor import Process, Supervisor

from tests.e2e.operators import running_account

FIRST, SECOND = "127.0.0.1", "127.0.0.2"
AGE_SECONDS = 2
# gRPC resolves a name at most every thirty seconds (grpc.dns_min_time_between_resolutions_ms).
RESOLVED_SECONDS = 30 + 3 * AGE_SECONDS


class Names(asyncio.DatagramProtocol):
    """A name server that returns the same addresses for every name: RFC 1035, A records with a TTL of zero."""

    def __init__(self, addresses: Sequence[str]) -> None:
        self.addresses = addresses
        self._transport: asyncio.DatagramTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        end = data.index(b"\0", 12) + 5
        (kind,) = struct.unpack(">H", data[end - 4 : end - 2])
        responses = [socket.inet_aton(one) for one in self.addresses] if kind == 1 else []
        head = data[:2] + struct.pack(">5H", 0x8180, 1, len(responses), 0, 0)
        records = [struct.pack(">3HIH", 0xC00C, 1, 1, 0, 4) + one for one in responses]
        self._transport.sendto(head + data[12:end] + b"".join(records), addr)


@asynccontextmanager
async def naming(addresses: Sequence[str]) -> AsyncIterator[tuple[Names, int]]:
    loop = asyncio.get_running_loop()
    transport, names = await loop.create_datagram_endpoint(lambda: Names(addresses), (FIRST, 0))
    try:
        yield names, transport.get_extra_info("sockname")[1]
    finally:
        transport.close()


@pytest.mark.timeout(180)
async def test_a_replica_that_joins_gets_its_share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SELLERGATE_CONNECTION_AGE_SECONDS", str(AGE_SECONDS))
    joined = Supervisor(lambda _: None)
    async with running_account(tmp_path) as suite, naming([FIRST]) as (names, port):
        own = suite.plan.port("account")
        target = f"dns://{FIRST}:{port}/account.test:{own}"
        async with open_channel(target, "account", suite.identity("operator"), []) as channel:
            stub = AccountServiceStub(channel)

            async def call_repeatedly(calls: int) -> None:
                for _ in range(calls):
                    await invoke(stub.ListAccounts, ListAccountsRequest(), dependency="account")
                    await asyncio.sleep(0.01)

            await call_repeatedly(20)
            environment = {**suite.supervisor.processes["account"].environment, "SELLERGATE_BIND_HOST": SECOND}
            command, log = [sys.executable, "-m", "sellergate_account"], tmp_path / "joined.log"
            healthy = grpc_serves(f"{SECOND}:{own}", "account", suite.identity("operator"))
            try:
                await joined.start(Process("joined", command, environment, log, healthy))
                names.addresses = [FIRST, SECOND]
                await call_repeatedly(RESOLVED_SECONDS * 80)
                before = log.read_text().count("ListAccounts")
                assert before > 0
                await call_repeatedly(100)
                await asyncio.sleep(0.1)
                share = log.read_text().count("ListAccounts") - before
            finally:
                await joined.stop()
    print(f"\nof 100 calls the new replica served {share}")
    assert 40 <= share <= 60
