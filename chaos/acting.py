"""Faults put into effect: a context manager that starts each at its entry and ends it at its exit."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from chaos.faults import PROCESSES, Fault
from chaos.load import Load
from chaos.storm import storming
from chaos.world import World
from tests.integration.redis_sets import Server

# The seconds for which a process is stopped, and those of a network fault.
FREEZE_SECONDS, FAULT_SECONDS = 5.0, 4.0
AMAZON = {
    "spapi 429": [{"kind": "429", "probability": 0.5}],
    "spapi 503": [{"kind": "503_json", "probability": 0.25}, {"kind": "503_html", "probability": 0.25}],
    "spapi garbage": [
        {"kind": "truncate", "probability": 0.2, "executed": True},
        {"kind": "reset", "probability": 0.2, "executed": True},
    ],
    "lwa 429": [{"kind": "lwa_429", "probability": 0.5}],
    "lwa 503": [{"kind": "lwa_html", "probability": 0.5}],
    "lwa garbage": [
        {"kind": kind, "probability": 0.2} for kind in ("lwa_odd_types", "lwa_charset", "lwa_surrogate", "lwa_deep")
    ],
    "sts throttle": [{"kind": "sts_throttle", "probability": 0.5}],
    "sts garbage": [{"kind": "sts_html", "probability": 0.5}],
}


@asynccontextmanager
async def acting(load: Load, faults: tuple[Fault, ...]) -> AsyncIterator[None]:
    """Start all faults; end them when the body has ended."""
    async with AsyncExitStack() as stack:
        for fault in faults:
            await stack.enter_async_context(_one(load, fault))
        yield


def seconds_of(faults: tuple[Fault, ...]) -> float:
    """Return for how long faults last."""
    frozen = any("freeze" in fault.kind for fault in faults)
    return FREEZE_SECONDS if frozen else FAULT_SECONDS


@asynccontextmanager
async def _one(load: Load, fault: Fault) -> AsyncIterator[None]:
    world = load.world
    if fault.is_link:
        await asyncio.to_thread(world.relays.begin, fault.place, fault.kind)
        yield
        await asyncio.to_thread(world.relays.end, fault.place)
    elif fault.place in PROCESSES:
        async with _process(world, fault):
            yield
    elif fault.name in AMAZON:
        for document in AMAZON[fault.name]:
            await world.post_control("faults", **document)
        yield
        (await world.control.request("DELETE", "/control/faults")).raise_for_status()
    elif fault.name == "lwa storm":
        async with storming(load):
            yield
    elif fault.place == "redis":
        async with _redis(world, fault.kind):
            yield
    else:
        does: dict[str, Callable[[], Any]] = {
            "restart": world.database.restart,
            "disconnect": world.database.disconnect,
        }
        await asyncio.to_thread(does[fault.kind])
        yield


@asynccontextmanager
async def _process(world: World, fault: Fault) -> AsyncIterator[None]:
    if fault.kind == "freeze":
        world.supervisor.processes[fault.place].send(signal.SIGSTOP)
        yield
        world.supervisor.processes[fault.place].send(signal.SIGCONT)
    elif fault.kind == "kill":
        await world.end(fault.place, signal.SIGKILL)
        yield
        await world.start(fault.place)
    else:
        await world.end(fault.place, signal.SIGTERM)
        await world.start(fault.place)
        yield


@asynccontextmanager
async def _redis(world: World, kind: str) -> AsyncIterator[None]:
    servers = world.redis.servers
    primaries = await asyncio.to_thread(world.primaries)
    primary = primaries[0]
    if "freeze" in kind:
        primary.send(signal.SIGSTOP)
        yield
        primary.send(signal.SIGCONT)
    elif kind == "flush":
        for server in primaries:
            await asyncio.to_thread(server.execute, "FLUSHALL")
        yield
    elif kind == "roll":
        for server in servers:
            await asyncio.to_thread(_restart, server)
            await asyncio.sleep(3)  # until the others see it again
        yield
    else:
        primary.send(signal.SIGKILL)
        yield
        await asyncio.to_thread(_restart, primary)


def _restart(server: Server) -> None:
    server.stop()
    server.start()
