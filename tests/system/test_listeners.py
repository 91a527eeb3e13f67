"""Every process that keeps copies receives changes again within two seconds, whatever ended its subscription."""

import asyncio
import re
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr
from sellergate_common.cache.keyspace import ACCOUNT_CHANGES
from sellergate_devstack.processes.ports import LOOPBACK, free_row
from sellergate_devstack.settings import DevstackSettings
from sellergate_devstack.suite import Suite, running_suite

from tests.e2e.conftest import ephemeral_ports
from tests.integration import redis_sets

RECONNECT_SECONDS = 2.0
# In the order of their metrics' ports.
PROCESSES = ("account", "token", "iam", "gateway", "edge")
LISTENING = ("token", "iam", "gateway")
UP = re.compile(r'^sellergate_background_up\{name="changes_subscribed"\} (\S+)$', re.MULTILINE)
KINDS = ("single", "sentinel", "cluster")


@dataclass
class Listeners:
    """The listening processes, by their metrics."""

    suite: Suite
    http: httpx.AsyncClient
    ports: dict[str, int]

    async def up(self, name: str) -> bool:
        shown = await self.http.get(f"http://{LOOPBACK}:{self.ports[name]}/metrics")
        (value,) = UP.findall(shown.text)
        return float(value) == 1

    async def reach(self, name: str, wanted: bool, seconds: float) -> float:
        """Wait until a process's listening state is the wanted one; return the seconds until then."""
        began = time.monotonic()
        while await self.up(name) is not wanted:
            assert time.monotonic() - began < seconds, f"{name}: not {wanted}"
            await asyncio.sleep(0.02)
        return time.monotonic() - began

    def logged(self, event: str) -> dict[str, int]:
        return {name: self.suite.log(name).read_text().count(event) for name in LISTENING}

    async def reconnected(self, since: Callable[[], float]) -> float:
        """Return the seconds from a time until the last process listened again; each must have logged the outage and its end."""
        before = self.logged("feed_connected"), self.logged("feed_disconnected")
        while any(
            self.logged(event)[name] == count[name]
            for event, count in zip(("feed_connected", "feed_disconnected"), before, strict=True)
            for name in LISTENING
        ):
            assert time.monotonic() - since() < 40, (before, self.logged("feed_connected"))
            await asyncio.sleep(0.02)
        passed = time.monotonic() - since()
        for name in LISTENING:
            await self.reach(name, True, 1)
        return passed


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", KINDS)
async def test_every_process_receives_changes_again(tmp_path: Path, kind: str) -> None:
    first = free_row(5)[0]
    with getattr(redis_sets, kind)(tmp_path) as servers:
        settings = DevstackSettings(
            state_dir=tmp_path / "state",
            simulator="on",
            redis_url=SecretStr(servers.url),
            metrics_base_port=first,
            **ephemeral_ports(),
        )
        async with (
            running_suite(settings, lambda _: None) as suite,
            httpx.AsyncClient(timeout=5, trust_env=False) as http,
        ):
            listeners = Listeners(suite, http, {name: first + number for number, name in enumerate(PROCESSES)})
            for name in LISTENING:
                await listeners.reach(name, True, 20)
            for _ in range(3):
                began = time.monotonic()
                reconnecting = asyncio.create_task(listeners.reconnected(lambda began=began: began))
                await asyncio.sleep(0)
                for server in servers.servers:
                    await asyncio.to_thread(server.execute, "CLIENT", "KILL", "TYPE", "pubsub")
                print(f"\n{kind}, subscriptions killed: reconnected after {await reconnecting:.2f} s", end="")
                assert reconnecting.result() <= RECONNECT_SECONDS
            odd = servers.primary_of(ACCOUNT_CHANGES)
            for message in (b"\xff\xfe\x00", b"", b"x" * 100_000, b"*" * 3):
                await asyncio.to_thread(odd.execute, "PUBLISH", ACCOUNT_CHANGES, message)
            await asyncio.sleep(1)
            assert all([await listeners.up(name) for name in LISTENING])
            if kind == "sentinel":
                await _failover(servers, listeners)


async def _failover(servers: redis_sets.Set, listeners: Listeners) -> None:
    """Kill the primary; return the time at which another server is the primary."""
    dead, another = servers.primary_of(ACCOUNT_CHANGES), float("inf")

    def promoted() -> float:
        return another if another != float("inf") else time.monotonic()

    reconnecting = asyncio.create_task(listeners.reconnected(promoted))
    await asyncio.sleep(0)
    dead.send(signal.SIGKILL)
    (successor,) = (server for server in servers.servers if server is not dead)
    await asyncio.to_thread(redis_sets.until, lambda: successor.execute("ROLE")[0] == "master", servers.servers)
    another = time.monotonic()
    print(f"\nsentinel, primary killed: reconnected {await reconnecting:.2f} s after another became the primary")
    assert reconnecting.result() <= RECONNECT_SECONDS
