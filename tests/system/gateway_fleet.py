"""Three replicas of the gateway in front of one simulated Amazon, for loads on quota and documents."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sellergate.gateway.v1 import call_pb2
from sellergate.gateway.v1.gateway_service_pb2_grpc import GatewayServiceStub
from sellergate_common.rpc.channel import invoke, open_channel
from sellergate_devstack.processes.ports import LOOPBACK, free_ports
from sellergate_devstack.processes.probes import grpc_serves
from sellergate_devstack.processes.supervisor import Process, Supervisor

from tests.system.token_fleet import Fleet, fleet


@dataclass
class Gateways:
    """A fleet of gateways, with a stub of each replica."""

    fleet: Fleet
    stubs: list[GatewayServiceStub]
    targets: list[str]
    processes: list[Process]
    _turn: int = 0

    def next(self) -> GatewayServiceStub:
        """Return the next replica in turn."""
        self._turn += 1
        return self.stubs[self._turn % len(self.stubs)]

    async def post_control(self, what: str, **document: Any) -> None:
        (await self.fleet.control.post(f"/control/{what}", json=document)).raise_for_status()

    async def counted(self, name: str) -> dict[str, int]:
        operations = (await self.fleet.control.get("/control/counters")).json()["operations"]
        return dict(operations.get(name, {"calls": 0, "executions": 0, "throttled": 0}))

    async def call(
        self, account_id: str, path: str, longest: float, seconds: float = 60.0, **more: Any
    ) -> call_pb2.CallResponse:
        request = call_pb2.CallRequest(account_id=account_id, method="GET", path=path, **more)
        request.max_wait.FromMilliseconds(int(longest * 1000))
        return await invoke(self.next().Call, request, dependency="gateway", seconds=seconds)

    async def warm(self, accounts: list[str]) -> None:
        """Open connections and fill caches, without calls of the measured operations."""
        warming = "/sellers/v1/account"
        await self.post_control("rates", scale=100_000, burst_scale=100, operation="sellers/v1/getAccount")
        for account_id in accounts:
            for _ in self.stubs:
                await self.call(account_id, warming, 30)
        await asyncio.gather(*(self.call(accounts[0], warming, 30) for _ in range(96)))


@asynccontextmanager
async def gateways(folder: Path, count: int = 3) -> AsyncIterator[Gateways]:
    """Run a suite with a number of gateways."""
    async with AsyncExitStack() as stack:
        world = await stack.enter_async_context(fleet(folder))
        suite, supervisor = world.suite, Supervisor(lambda _: None)
        stack.push_async_callback(supervisor.stop)
        targets, processes = [suite.target("gateway")], [suite.supervisor.processes["gateway"]]
        for number, port in enumerate(free_ports(count - 1)):
            environment = {**suite.supervisor.processes["gateway"].environment, "SELLERGATE_GATEWAY_PORT": str(port)}
            target, command = f"{LOOPBACK}:{port}", [sys.executable, "-m", "sellergate_gateway"]
            serves = grpc_serves(target, "gateway", suite.identity("operator"))
            process = Process(f"gateway-{number}", command, environment, folder / f"gateway-{number}.log", serves)
            await supervisor.start(process)
            targets.append(target)
            processes.append(process)
        stubs = []
        for target in targets:
            channel = open_channel(target, "gateway", suite.identity("client/demo"), [])
            stubs.append(GatewayServiceStub(await stack.enter_async_context(channel)))
        yield Gateways(world, stubs, targets, processes)
