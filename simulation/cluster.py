"""The cluster: replicas of each service on simulated nodes, composed as their `__main__` does; only ports are replaced."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from random import Random
from typing import Any

from pydantic import SecretStr
from sellergate_common.crypto.sealing import encode_key
from sellergate_common.flights.lease import COMMAND_SECONDS
from sellergate_common.slots import Slots
from sellergate_common.tasks import BackgroundTasks

from simulation.history import History
from simulation.plan import REPLICAS, Plan
from simulation.ring import Ring
from simulation.world.amazon import SimulatedAmazon
from simulation.world.database import OnCommit, SimulatedDatabase
from simulation.world.http import Wire
from simulation.world.loop import Node, SimulationLoop, start_on
from simulation.world.network import Network
from simulation.world.redis import SimulatedRedis, Watch
from simulation.world.rpc import Channel, Server, Switchboard

REDIS_URL = SecretStr("redis://redis:6379")
RING = Ring.parse("simulation " + encode_key(bytes(range(64))))
# The seconds within which a replica that is stopped must have ended.
STOP_SECONDS = 20.0
# The seconds within which the tasks of a process that has stopped must have ended: the release of a lease, which Redis may delay.
IDLE_SECONDS = COMMAND_SECONDS + 0.1
# The coroutine of fetches, which outlive their callers. The token service waits for those that exchange a grant.
FLIGHT = "_detached"
Rates = dict[str, tuple[float, int]]
Serve = Callable[["World", Node, Server], AbstractAsyncContextManager[None]]


@dataclass(slots=True)
class World:
    """Everything outside of the replicas."""

    plan: Plan
    history: History
    network: Network
    switchboard: Switchboard
    amazon: SimulatedAmazon
    amazon_node: Node
    database: SimulatedDatabase
    redis: SimulatedRedis
    random: Random
    attempts: Counter[tuple[str, str]] = field(default_factory=Counter)
    """The requests to SP-API by gateway and call."""
    backgrounds: dict[str, BackgroundTasks] = field(default_factory=dict)
    """The background tasks and health conditions of each node."""
    slots: dict[str, Slots] = field(default_factory=dict)
    """The slots of LWA of each node."""

    def channel(self, target: str, identity: str, contracts: Any) -> Channel:
        """Open a channel of the present node to a service."""
        return Channel(self.switchboard, target, identity, contracts)

    def wire(self) -> Wire:
        """Return the present node's way to Amazon."""
        return Wire(self.amazon, self.amazon_node, self.network, self.random, self.attempts)


class Replica:
    """One replica of a service: its present process, which may be killed, stopped and started again."""

    def __init__(self, cluster: "Cluster", name: str, serve: Serve) -> None:
        self.name = name
        self.node: Node | None = None
        self.ready = False
        self._cluster = cluster
        self._serve = serve
        self._stop: asyncio.Event | None = None
        self._ended: asyncio.Task[None] | None = None
        self._starts = 0

    def start(self) -> None:
        """Start a new process of this replica, unless it runs."""
        if self.node is not None:
            return
        world = self._cluster.world
        self._starts += 1
        draw = Random(f"{world.plan.seed} {self.name} {self._starts}").random
        self.node = Node(self.name, world.plan.skews.get(self.name, 0.0), 1000.0 + 1e5 * draw())
        self._ended = start_on(self.node, self._run(self.node), "main")

    def check_start(self) -> None:
        """Raise the error that ended the process at its start."""
        if self._ended is not None and self._ended.done() and self.node is not None and self.node.alive:
            self._ended.result()

    async def _run(self, node: Node) -> None:
        world, stop = self._cluster.world, asyncio.Event()
        self._stop = stop
        server = Server(world.switchboard, node)
        async with self._serve(world, node, server):
            self.ready = True
            await stop.wait()
            self.ready, server.is_draining = False, True
            ends = time.monotonic() + STOP_SECONDS / 4
            while server.calls and time.monotonic() < ends:
                await asyncio.sleep(0.02)
            world.switchboard.remove(node)
        _end_flights(node, {FLIGHT})

    def kill(self) -> None:
        """Kill the process at once."""
        node, world = self.node, self._cluster.world
        if node is None:
            return
        self.node, self.ready = None, False
        world.switchboard.remove(node)
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SimulationLoop)
        loop.kill(node)
        world.redis.reset(node.name)
        world.database.disconnect(node)

    async def stop(self) -> None:
        """Stop the process as SIGTERM does; report a violation if it does not end, or leaves tasks."""
        node, ended, history = self.node, self._ended, self._cluster.world.history
        if node is None or ended is None:
            return
        while not self.ready and node.alive and not ended.done():
            await asyncio.sleep(0.05)
        if self.node is not node or self._stop is None:
            return
        self._stop.set()
        for _ in range(int(STOP_SECONDS / 0.1)):
            if ended.done() or not node.alive:
                break
            await asyncio.sleep(0.1)
        if not node.alive or self.node is not node:
            return
        if not ended.done():
            history.violate("stop", f"{self.name} has not ended {STOP_SECONDS} s after SIGTERM: {node.running()[:5]}")
        elif ended.exception() is not None:
            history.violate("stop", f"{self.name} ended with {ended.exception()!r}")
        else:
            await self._check_end(node)
        self.kill()

    async def _check_end(self, node: Node) -> None:
        """Report what a process that has stopped leaves."""
        await self._until_idle(node)
        if not node.alive:
            return
        history, left = self._cluster.world.history, node.running()
        if left:
            history.violate("quiescent", f"{self.name} has stopped and left {left[:5]}")
        slots = self._cluster.world.slots.get(node.name)
        if slots is not None and slots.free != slots.most:
            history.violate("slots", f"{self.name} stops with {slots.most - slots.free} slots of LWA in use")

    async def _until_idle(self, node: Node) -> None:
        """Wait until no task runs, for IDLE_SECONDS at most in which the process is not frozen."""
        left = IDLE_SECONDS
        while node.running() and left > 0:
            await asyncio.sleep(0.05)
            left -= 0.0 if node.frozen else 0.05


def _end_flights(node: Node, names: set[str]) -> None:
    """Cancel the tasks that outlive their callers, as the end of a process does."""
    for task in node.tasks:
        if not task.done() and getattr(task.get_coro(), "__qualname__", "") in names:
            task.cancel()


class Cluster:
    """All replicas. `services` are the functions that serve, by the service's name."""

    def __init__(self, world: World, services: dict[str, Serve]) -> None:
        self.world = world
        self.replicas = {
            f"{service}-{number}": Replica(self, f"{service}-{number}", serve)
            for service, serve in services.items()
            for number in range(1, REPLICAS[service] + 1)
        }

    async def start(self) -> None:
        """Start all replicas and wait until they serve."""
        for replica in self.replicas.values():
            replica.start()
        while not all(replica.ready for replica in self.replicas.values()):
            for replica in self.replicas.values():
                replica.check_start()
            await asyncio.sleep(0.01)

    async def stop(self) -> None:
        """Stop all replicas, the gateways first."""
        for service in ("gateway", "token", "account"):
            stopping = [one.stop() for one in self.replicas.values() if one.name.startswith(service)]
            await asyncio.gather(*stopping)


def make_world(
    plan: Plan, loop: SimulationLoop, history: History, rates: Rates, on_commit: OnCommit, watch: Watch
) -> World:
    """Return the world of a run."""
    network = Network(Random(f"{plan.seed} network"))
    switchboard = Switchboard(network, history)
    redis = SimulatedRedis(
        Node("redis", plan.skews.get("redis", 0.0), 500.0), network, watch, Random(f"{plan.seed} redis")
    )
    loop.connect = redis.connect
    return World(
        plan=plan,
        history=history,
        network=network,
        switchboard=switchboard,
        amazon=SimulatedAmazon(history, plan.life, rates),
        amazon_node=Node("amazon"),
        database=SimulatedDatabase(Node("database"), network, on_commit),
        redis=redis,
        random=Random(f"{plan.seed} amazon"),
    )
