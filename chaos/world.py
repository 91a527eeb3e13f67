"""The world of a run: PostgreSQL, Redis, the simulator and nine processes of Sellergate, with a relay on every link."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx
from pydantic import SecretStr
from sellergate_common.identity.tls import Identity
from sellergate_devstack.plan import Plan, make_plan
from sellergate_devstack.processes.ports import LOOPBACK, free_ports, free_row
from sellergate_devstack.processes.probes import grpc_serves, http_serves
from sellergate_devstack.processes.supervisor import Process, Supervisor
from sellergate_devstack.settings import DevstackSettings
from sellergate_devstack.state import State
from sellergate_devstack.user_tokens import user_token

from chaos.faults import REPLICAS
from chaos.postgres import Database, database
from chaos.relays import Relays
from tests.integration import redis_sets

USER = "u1"
# A module that counts the tasks of a process.
PROBE = Path(__file__).parent / "probe"
JWT_SECONDS = 6 * 3600.0
# A busy machine may take long to start a process.
START_SECONDS = 300.0


@dataclass
class World:
    """Everything that runs. `metrics` are the ports of metrics by process."""

    folder: Path
    topology: str
    plan: Plan
    relays: Relays
    database: Database
    redis: redis_sets.Set
    supervisor: Supervisor
    control: httpx.AsyncClient
    metrics: dict[str, int] = field(default_factory=dict)

    @property
    def services(self) -> dict[str, Process]:
        """The processes of Sellergate by name, as in gateway-0."""
        return {name: process for name, process in self.supervisor.processes.items() if name != "simulator"}

    @property
    def edge(self) -> str:
        """The edge's base URL for callers."""
        return f"http://{LOOPBACK}:{self.relays.links['caller->edge'][0].port}"

    def target(self, service: str) -> str:
        """Return the gRPC target of a service for callers."""
        return target_of([relay.port for relay in self.relays.links[f"caller->{service}"]])

    def identity(self, name: str) -> Identity:
        """Return an identity ("operator", "client/chaos")."""
        files = self.plan.state.authority.issue(name)
        return Identity(files.ca.read_bytes(), files.certificate.read_bytes(), files.key.read_bytes())

    def jwt(self) -> str:
        """Return a token of the user for the edge."""
        secret = self.plan.state.key_file("jwt").read_text().strip()
        return user_token(secret, USER, self.plan.settings, JWT_SECONDS)

    async def post_control(self, what: str, **document: Any) -> None:
        """Send a request to the simulator's control API."""
        (await self.control.post(f"/control/{what}", json=document)).raise_for_status()

    async def get_control(self, what: str) -> Any:
        """Return a document of the simulator's control API."""
        return (await self.control.get(f"/control/{what}")).raise_for_status().json()

    def pids(self) -> list[int]:
        """Return the ids of all processes whose delays the services notice, except PostgreSQL's."""
        return [
            process.pid
            for process in (*self.supervisor.processes.values(), *(one.process for one in self.redis.servers))
        ]

    def primaries(self) -> list[redis_sets.Server]:
        """Return the servers of Redis that run and accept writes."""
        return [one for one in self.redis.servers if one.process.poll() is None and one.execute("ROLE")[0] == "master"]

    async def end(self, name: str, number: signal.Signals) -> None:
        """Send a process a signal, and wait until it has ended. Raises TimeoutError after 30 seconds."""
        process = self.supervisor.processes[name]
        process.send(number)
        async with asyncio.timeout(30):
            while not process.has_ended():
                await asyncio.sleep(0.02)

    async def start(self, name: str) -> None:
        """Start a process that has ended, and wait until it serves."""
        process = self.supervisor.processes[name]
        process.start()
        end = time.monotonic() + START_SECONDS
        while not await process.healthy():
            if process.has_ended() or time.monotonic() > end:
                raise RuntimeError(f"{name} does not serve: {process.describe_exit()}")
            await asyncio.sleep(0.1)


def target_of(ports: list[int]) -> str:
    """Return a gRPC target that leads to several ports."""
    return "ipv4:" + ",".join(f"{LOOPBACK}:{port}" for port in ports)


@asynccontextmanager
async def running(folder: Path, topology: str = "direct") -> AsyncIterator[World]:
    """Run a world. Raises FileNotFoundError or NoRedis where a server is missing on this machine."""
    async with AsyncExitStack() as stack:
        relays = Relays()
        stack.callback(relays.close)
        postgres = stack.enter_context(database())
        makes = {"direct": redis_sets.single, "sentinel": redis_sets.sentinel, "cluster": redis_sets.cluster}
        front = redis_sets.itself if topology == "direct" else lambda port: relays.add("all->redis", port)
        redis = stack.enter_context(makes[topology](folder / "redis", front))
        # Ports of single processes are chosen below; these are of the plan, of which the processes are copies.
        ports = dict(zip((f"{name}_port" for name in REPLICAS), free_ports(len(REPLICAS)), strict=True))
        url, row = SecretStr(redis.url), free_row(5)[0]
        settings = DevstackSettings(state_dir=folder, simulator="on", redis_url=url, simulator_port=row, **ports)
        state = State(settings.folder)
        plan = make_plan(settings, state)
        supervisor = Supervisor(lambda _: None)
        stack.push_async_callback(supervisor.stop)
        control = httpx.AsyncClient(base_url=plan.simulator_url, timeout=60, trust_env=False)
        await stack.enter_async_context(control)
        world = World(folder, topology, plan, relays, postgres, redis, supervisor, control)
        for process in _Builder(world).processes():
            supervisor.processes[process.name] = process
        # The first account service migrates the schema, before the others start at the same time.
        first = ["simulator", "account-0"]
        for name in first:
            await world.start(name)
        await asyncio.gather(*(world.start(name) for name in world.services if name not in first))
        state.adopted()
        yield world


class _Builder:
    """The replicas of the plan's processes, each of which reaches every other server through a relay."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._relays = world.relays
        self._ports = {name: free_ports(count) for name, count in REPLICAS.items()}

    def processes(self) -> list[Process]:
        """Return all processes in their start order, and start the relays."""
        for name in ("gateway", "edge", "token", "account"):
            for port in self._ports[name]:
                self._relays.add(f"caller->{name}", port)
        found = []
        for base in self._world.plan.processes():
            if base.name == "simulator":
                found.append(base)
            else:
                shared = {**base.environment, **self._outgoing(base)}
                found += [self._replica(base, number, shared) for number in range(REPLICAS[base.name])]
        return found

    def _replica(self, base: Process, number: int, shared: dict[str, str]) -> Process:
        name, port, (metrics,) = f"{base.name}-{number}", self._ports[base.name][number], free_ports(1)
        own = {f"SELLERGATE_{base.name.upper()}_PORT": str(port), "SELLERGATE_METRICS_PORT": str(metrics)}
        # PYTHONPATH leads to a copy of the code where a fault is planted.
        own["PYTHONPATH"] = os.pathsep.join([str(PROBE), *filter(None, [os.environ.get("PYTHONPATH")])])
        self._world.metrics[name] = metrics
        if base.name == "edge":
            healthy = http_serves(f"http://{LOOPBACK}:{port}/console/icon.svg")
        else:
            healthy = grpc_serves(f"{LOOPBACK}:{port}", base.name, self._world.plan.operator)
        log = self._world.plan.state.folder / "logs" / f"{name}.log"
        return replace(base, name=name, environment={**shared, **own}, log=log, healthy=healthy, ports={})

    def _outgoing(self, base: Process) -> dict[str, str]:
        """Return the variables of the servers that a service reaches, with the ports of relays."""
        given, name, simulator = base.environment, base.name, self._world.plan.settings.simulator_port
        found = {}
        for server in REPLICAS:
            variable = f"SELLERGATE_{server.upper()}_TARGET"
            if variable in given:
                link = f"{name}->{server}"
                found[variable] = target_of([self._relays.add(link, port) for port in self._ports[server]])
        if self._world.topology == "direct":
            port = self._relays.add(f"{name}->redis", self._world.redis.servers[0].port)
            found["REDIS_URL"] = with_port(given["REDIS_URL"], port)
        if name == "account":
            found["DATABASE_URL"] = self._world.database.url(
                self._relays.add("account->postgres", self._world.database.port)
            )
        elif name == "token":
            found["SELLERGATE_LWA_TOKEN_URL"] = with_port(
                given["SELLERGATE_LWA_TOKEN_URL"], self._relays.add("token->lwa", simulator)
            )
        elif name == "iam":
            found["AWS_ENDPOINT_URL_STS"] = with_port(
                given["AWS_ENDPOINT_URL_STS"], self._relays.add("iam->sts", simulator)
            )
        elif name == "gateway":
            variable = "SELLERGATE_SPAPI_ENDPOINT_NA"
            found[variable] = with_port(given[variable], self._relays.add("gateway->spapi", simulator + 1))
        return found


def with_port(url: str, port: int) -> str:
    """Return a URL with another port."""
    parts = urlsplit(url)
    user, separator, _ = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user}{separator}{LOOPBACK}:{port}"))
