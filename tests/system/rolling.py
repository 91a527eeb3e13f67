"""The suite with two replicas of every service, and a load whose calls must not fail while replicas are replaced."""

import asyncio
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sellergate_common.errors import SellergateError
from sellergate_devstack.plan import GRPC_SERVICES
from sellergate_devstack.processes.ports import LOOPBACK, free_ports
from sellergate_devstack.processes.probes import grpc_serves, http_serves
from sellergate_devstack.processes.supervisor import Process, Supervisor
from sellergate_devstack.settings import DevstackSettings
from sellergate_devstack.suite import Suite, running_suite

from tests.e2e.conftest import ephemeral_ports

SETTLE_SECONDS = 3.0
PRE_STOP_SECONDS = 0.05


@dataclass
class Doubled:
    """A suite whose services each have a second replica; each process has both addresses of every other service."""

    suite: Suite
    targets: dict[str, str]
    replicas: list[tuple[Supervisor, Process]] = field(default_factory=list)
    edges: dict[str, str] = field(default_factory=dict)
    """The edges of the load balancer, by the names of their processes."""

    async def replace(self, supervisor: Supervisor, process: Process) -> None:
        """Stop a replica as Kubernetes does, and start another in its place."""
        balanced = self.edges.pop(process.name, None)
        if balanced:
            # Load balancers remove a replica before it gets the signal (preStop); earlier requests are still in progress.
            await asyncio.sleep(PRE_STOP_SECONDS)
        process.send(signal.SIGTERM)
        assert process.handle is not None
        await asyncio.to_thread(process.handle.wait, 30)
        assert process.handle.returncode == 0, process.name
        process.start()
        await supervisor.wait_healthy(process)
        if balanced:
            self.edges[process.name] = balanced
        # Like the deployments' `minReadySeconds`: clients look for a returned replica once a second.
        await asyncio.sleep(SETTLE_SECONDS)


@asynccontextmanager
async def doubled(folder: Path) -> AsyncIterator[Doubled]:
    """Run the doubled suite. The suite's first replicas are restarted with the addresses of the second ones."""
    settings = DevstackSettings(state_dir=folder, simulator="on", **ephemeral_ports())
    async with AsyncExitStack() as stack:
        suite = await stack.enter_async_context(running_suite(settings, lambda _: None))
        ports = dict(zip(GRPC_SERVICES, free_ports(len(GRPC_SERVICES)), strict=True))
        targets = {name: f"ipv4:{suite.target(name)},{LOOPBACK}:{port}" for name, port in ports.items()}
        known = {f"SELLERGATE_{name.upper()}_TARGET": target for name, target in targets.items()}
        world = Doubled(suite, targets)
        second = Supervisor(lambda _: None)
        stack.push_async_callback(second.stop)
        for name, port in ports.items():
            first = suite.supervisor.processes[name]
            own = {variable: value for variable, value in known.items() if variable in first.environment}
            first.environment |= own
            serves = grpc_serves(f"{LOOPBACK}:{port}", name, suite.identity("operator"))
            environment = {**first.environment, f"SELLERGATE_{name.upper()}_PORT": str(port)}
            command = [sys.executable, "-m", f"sellergate_{name}"]
            other = Process(f"{name}-2", command, environment, folder / f"{name}-2.log", serves)
            await second.start(other)
            world.replicas += [(suite.supervisor, first), (second, other)]
        for supervisor, process in world.replicas[::2]:
            await world.replace(supervisor, process)
        edge, (port,) = suite.supervisor.processes["edge"], free_ports(1)
        edge.environment |= {variable: value for variable, value in known.items() if variable in edge.environment}
        await suite.restart("edge")
        where = f"http://{LOOPBACK}:{port}"
        environment = {**edge.environment, "SELLERGATE_EDGE_PORT": str(port)}
        command, responses = [sys.executable, "-m", "sellergate_edge"], http_serves(f"{where}/console/icon.svg")
        other = Process("edge-2", command, environment, folder / "edge-2.log", responses)
        await second.start(other)
        world.replicas += [(suite.supervisor, edge), (second, other)]
        world.edges = {"edge": suite.edge, "edge-2": where}
        yield world


async def under_load(callers: int, call: Callable[[], Awaitable[object]], work: Awaitable[None]) -> Counter[str]:
    """Call repeatedly during `work`; return the outcomes of the calls."""
    ended: Counter[str] = Counter()
    done = asyncio.Event()

    async def caller() -> None:
        while not done.is_set():
            try:
                await call()
                ended["OK"] += 1
            except SellergateError as error:
                ended[f"{error.reason}: {error.message}"] += 1
            await asyncio.sleep(0.01)

    callers_of = [asyncio.create_task(caller()) for _ in range(callers)]
    await work
    done.set()
    await asyncio.gather(*callers_of)
    return ended
