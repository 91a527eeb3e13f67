"""Three replicas of the token service, and the exchanges for an uncached account when one of them dies or freezes."""

import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest
from sellergate.token.v1.token_service_pb2 import (
    GetAccessTokenRequest,
    GetTokenCacheStatsRequest,
    GetTokenCacheStatsResponse,
)
from sellergate.token.v1.token_service_pb2_grpc import TokenServiceStub
from sellergate_client.rpc.replicas import open_replicas
from sellergate_client.tokens import CONTRACTS, Tokens
from sellergate_common.flights.lease import LEASE_SECONDS
from sellergate_common.rpc.channel import invoke, open_channel
from sellergate_devstack.processes.ports import LOOPBACK, free_ports
from sellergate_devstack.processes.probes import grpc_serves
from sellergate_devstack.processes.supervisor import Process, Supervisor
from sellergate_devstack.suite import Suite

from tests.e2e.conftest import Rest
from tests.e2e.sellers import Seller

LWA_SECONDS = 3.0
CALLERS = 100
# Additional seconds on a busy machine with two cores; a caller without a token would wait for its deadline of half a minute.
SLACK_SECONDS = 12.0


class Cluster:
    def __init__(self, suite: Suite, supervisor: Supervisor, processes: list[Process], targets: list[str]) -> None:
        self.suite = suite
        self.supervisor = supervisor
        self.processes = processes
        self.targets = targets
        self.stack = AsyncExitStack()
        self.stubs: list[TokenServiceStub] = []

    async def open(self) -> None:
        identity = self.suite.identity("operator")
        for target in self.targets:
            channel = await self.stack.enter_async_context(open_channel(target, "token", identity, []))
            await asyncio.wait_for(channel.channel_ready(), 10)
            self.stubs.append(TokenServiceStub(channel))

    async def get(self, replica: int, account_id: str) -> tuple[str, float]:
        began = time.monotonic()
        request = GetAccessTokenRequest(account_id=account_id)
        response = await invoke(self.stubs[replica].GetAccessToken, request, dependency="token")
        return response.access_token, time.monotonic() - began

    async def stats(self, replica: int) -> GetTokenCacheStatsResponse:
        request = GetTokenCacheStatsRequest()
        return await invoke(self.stubs[replica].GetTokenCacheStats, request, dependency="token")

    async def holder(self) -> int:
        """Return which replica is exchanging."""
        async with asyncio.timeout(5):
            while True:
                for index in range(len(self.stubs)):
                    if (await self.stats(index)).refreshes:
                        return index
                await asyncio.sleep(0.02)


@pytest.fixture
async def cluster(suite: Suite, tmp_path: Path) -> AsyncIterator[Cluster]:
    environment = suite.supervisor.processes["token"].environment
    supervisor = Supervisor(lambda _: None)
    processes, targets = [], []
    for index, port in enumerate(free_ports(3)):
        target = f"{LOOPBACK}:{port}"
        healthy = grpc_serves(target, "token", suite.identity("operator"))
        own = {**environment, "SELLERGATE_TOKEN_PORT": str(port)}
        name = f"token-{index}"
        process = Process(name, [sys.executable, "-m", "sellergate_token"], own, tmp_path / f"{name}.log", healthy)
        await supervisor.start(process)
        processes.append(process)
        targets.append(target)
    made = Cluster(suite, supervisor, processes, targets)
    try:
        await made.open()
        yield made
    finally:
        await made.stack.aclose()
        for process in processes:
            process.send(signal.SIGCONT)
        await supervisor.stop()


@pytest.fixture
async def slow_lwa(control: httpx.AsyncClient) -> AsyncIterator[None]:
    fault = {"kind": "lwa_slow", "delay_seconds": LWA_SECONDS}
    assert (await control.post("/control/faults", json=fault)).is_success
    yield
    assert (await control.delete("/control/faults")).is_success


async def exchanges(control: httpx.AsyncClient) -> int:
    return int((await control.get("/control/counters")).json()["lwa"]["exchanges"])


@pytest.mark.usefixtures("slow_lwa")
async def test_three_hundred_cold_callers_cost_one_exchange(
    cluster: Cluster, rest: Rest, control: httpx.AsyncClient, seller: Seller
) -> None:
    account_id = await rest.connect(seller)
    before = await exchanges(control)
    found = await asyncio.gather(*(cluster.get(number % 3, account_id) for number in range(3 * CALLERS)))
    assert len({token for token, _ in found}) == 1
    assert await exchanges(control) - before == 1
    assert max(seconds for _, seconds in found) < LWA_SECONDS + SLACK_SECONDS


@pytest.mark.usefixtures("slow_lwa")
@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGSTOP])
async def test_a_failed_lease_holder_costs_one_more_exchange_and_every_caller_gets_a_token(
    cluster: Cluster, rest: Rest, control: httpx.AsyncClient, seller: Seller, blow: signal.Signals
) -> None:
    account_id = await rest.connect(seller)
    before = await exchanges(control)
    async with open_replicas(
        "ipv4:" + ",".join(cluster.targets), "token", rest.suite.identity("operator"), CONTRACTS
    ) as replicas:
        tokens = Tokens(replicas)
        direct = [
            [asyncio.create_task(cluster.get(replica, account_id)) for _ in range(CALLERS)] for replica in range(3)
        ]
        hedged = [asyncio.create_task(tokens.get(account_id)) for _ in range(30)]
        fallen = await cluster.holder()
        cluster.processes[fallen].send(blow)
        bound = LEASE_SECONDS + LWA_SECONDS + SLACK_SECONDS
        live = [call for replica, calls in enumerate(direct) if replica != fallen for call in calls]
        found = await asyncio.gather(*live)
        assert max(seconds for _, seconds in found) < bound
        (newer,) = {token for token, _ in found}
        assert {token.value.get_secret_value() for token in await asyncio.gather(*hedged)} == {newer}
        assert await exchanges(control) - before <= 2
        late = asyncio.gather(*direct[fallen], return_exceptions=True)
        if blow is signal.SIGSTOP:
            await the_late_result_is_discarded(cluster, fallen, account_id, newer)
            assert {call[0] for call in await late if isinstance(call, tuple)} == {newer}
        else:
            await late
            assert {token for token, _ in [await cluster.get(other, account_id) for other in {0, 1, 2} - {fallen}]} == {
                newer
            }
    assert await exchanges(control) - before <= 2


async def the_late_result_is_discarded(cluster: Cluster, fallen: int, account_id: str, newer: str) -> None:
    cluster.processes[fallen].send(signal.SIGCONT)
    async with asyncio.timeout(15):
        while not (await cluster.stats(fallen)).discarded:  # noqa: ASYNC110  (the other process reports nothing)
            await asyncio.sleep(0.1)
    for replica in range(3):
        assert (await cluster.get(replica, account_id))[0] == newer
