"""Three gateways with copies of accounts: a change that was acknowledged is in force in all within five seconds, whatever fails.

The account service announces on a Redis of its own, so that every announcement is lost; one gateway has no Redis at all.
"""

import asyncio
import secrets
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest
from psycopg import AsyncConnection
from sellergate.account.v1 import account_service_pb2 as pb2
from sellergate.account.v1.account_service_pb2_grpc import AccountServiceStub
from sellergate.gateway.v1 import call_pb2
from sellergate.gateway.v1.gateway_service_pb2_grpc import GatewayServiceStub
from sellergate_common.errors import OutOfTime, Reason, SellergateError, Unavailable
from sellergate_common.rpc.channel import invoke, open_channel
from sellergate_devstack.processes.ports import LOOPBACK, free_ports
from sellergate_devstack.processes.probes import grpc_serves
from sellergate_devstack.processes.supervisor import Process, Supervisor

from tests.integration import redis_sets
from tests.system.conftest import Need
from tests.system.postgres_pair import base_backup, replicating
from tests.system.token_fleet import Fleet, fleet, until_done

BOUND_SECONDS = 5.0
LOOK_SECONDS = 0.1
CONNECT_SECONDS = 30.0
# The most seconds that a gateway may refuse calls around a failover of the database.
OUTAGE_SECONDS = 60.0
CHANGED, CALLED = 20, 10
CHANGES, ANNOUNCED = 1_000, 200
PATH = "/sellers/v1/account"


@dataclass
class World:
    """A fleet of three gateways; the last has no Redis. `silent_redis` is the Redis to which only the account service connects."""

    fleet: Fleet
    database_url: str
    silent_redis: redis_sets.Server
    accounts: AccountServiceStub
    channel: grpc.aio.Channel
    gateways: list[GatewayServiceStub]
    shared_redis: str
    delays: list[float] = field(default_factory=list)
    acknowledged: float = 0.0

    async def is_active(self, gateway: GatewayServiceStub, account_id: str) -> bool:
        """Return whether a gateway makes calls for an account."""
        request = call_pb2.CallRequest(account_id=account_id, method="GET", path=PATH)
        request.max_wait.FromSeconds(30)
        try:
            await invoke(gateway.Call, request, dependency="gateway", seconds=60)
        except SellergateError as error:
            if error.reason is not Reason.ACCOUNT_INACTIVE:
                raise
            return False
        return True

    async def switch(self, account_id: str, *, active: bool, key: str = "") -> float:
        """Change an account; return the time of the acknowledgement."""
        kind = pb2.UndeleteAccountRequest if active else pb2.DeleteAccountRequest
        method: Any = self.accounts.UndeleteAccount if active else self.accounts.DeleteAccount
        await invoke(method, kind(account_id=account_id, idempotency_key=key), dependency="account", seconds=30)
        return time.monotonic()

    async def restart_account(self) -> None:
        """Restart the account service, and wait until this program, too, is connected to it again."""
        await self.fleet.suite.restart("account")
        async with asyncio.timeout(CONNECT_SECONDS):
            await self.channel.channel_ready()

    async def warm(self, account_id: str, *, active: bool) -> None:
        """Give every gateway a copy."""
        for gateway in self.gateways:
            assert await self.is_active(gateway, account_id) is active

    async def delay(self, account_id: str, acknowledged: float, *, active: bool, outage: bool = False) -> float:
        """Wait until a change is in force in all gateways; return the seconds until the last call without it began.

        `outage`: a gateway may also refuse a call, since it cannot read the account; such a call used no copy.
        """
        self.acknowledged, longest = acknowledged, 0.0

        async def watch(gateway: GatewayServiceStub) -> None:
            nonlocal longest
            while True:
                began = time.monotonic() - acknowledged
                try:
                    if await self.is_active(gateway, account_id) is active:
                        return
                except (Unavailable, OutOfTime):
                    if not outage or began > OUTAGE_SECONDS:
                        raise
                    await asyncio.sleep(LOOK_SECONDS)
                    continue
                longest = max(longest, began)
                assert began < BOUND_SECONDS, (
                    f"a call that began {began:.2f} s after the acknowledgement used an old copy"
                )
                await asyncio.sleep(LOOK_SECONDS)

        await asyncio.gather(*map(watch, self.gateways))
        self.delays.append(longest)
        return longest

    async def change(self, account_id: str, *, active: bool) -> float:
        """Change an account of which all gateways have a copy, and return its delay."""
        await self.warm(account_id, active=not active)
        return await self.delay(account_id, await self.switch(account_id, active=active), active=active)


@asynccontextmanager
async def worlds(folder: Path, database_url: str) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        own = stack.enter_context(redis_sets.single(folder / "silent"))
        running = await stack.enter_async_context(fleet(folder))
        suite, supervisor = running.suite, Supervisor(lambda _: None)
        stack.push_async_callback(supervisor.stop)
        account = suite.supervisor.processes["account"]
        shared, account.environment["REDIS_URL"] = account.environment["REDIS_URL"], own.url
        await suite.restart("account")
        targets = [suite.target("gateway")]
        *ports, nothing = free_ports(3)
        for number, port in enumerate(ports):
            environment = {**suite.supervisor.processes["gateway"].environment, "SELLERGATE_GATEWAY_PORT": str(port)}
            if number == 1:
                environment["REDIS_URL"] = f"redis://{LOOPBACK}:{nothing}"
            target, command = f"{LOOPBACK}:{port}", [sys.executable, "-m", "sellergate_gateway"]
            serves = grpc_serves(target, "gateway", suite.identity("operator"))
            await supervisor.start(
                Process(f"gateway-{number}", command, environment, folder / f"gateway-{number}.log", serves)
            )
            targets.append(target)
        identity = suite.identity("client/demo")
        channels = [await stack.enter_async_context(open_channel(one, "gateway", identity, [])) for one in targets]
        accounts = open_channel(suite.target("account"), "account", suite.identity("operator"), [])
        await running.add(CHANGED + CALLED)
        rates = {"scale": 1_000_000, "burst_scale": 1_000}
        (await running.control.post("/control/rates", json=rates)).raise_for_status()
        stub = AccountServiceStub(await stack.enter_async_context(accounts))
        gateways = [GatewayServiceStub(channel) for channel in channels]
        yield World(running, database_url.replace("+psycopg", ""), own.servers[0], stub, accounts, gateways, shared)


@pytest.mark.timeout(600)
async def test_a_change_is_in_force_within_five_seconds_whatever_fails(
    tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", postgres_url)
    async with worlds(tmp_path, postgres_url) as world:
        for number, failure in enumerate((nothing_fails, killed, emptied, paused, late_commit)):
            account_id = world.fleet.accounts[number]
            await world.warm(account_id, active=True)
            delay = await failure(world, account_id)
            # A refusal may have come from the token service; from now on each gateway's own copy has to have the change.
            await asyncio.sleep(max(0.0, world.acknowledged + BOUND_SECONDS - time.monotonic()))
            await world.warm(account_id, active=False)
            print(f"\n{failure.__name__}: in force in all gateways after {delay:.2f} s", end="")
            await world.change(account_id, active=True)


async def nothing_fails(world: World, account_id: str) -> float:
    return await world.change(account_id, active=False)


async def killed(world: World, account_id: str) -> float:
    """Kill the account service between COMMIT and publication, and repeat the request to the next one."""
    key = secrets.token_urlsafe(16)
    world.silent_redis.send(signal.SIGSTOP)
    begun = asyncio.create_task(world.switch(account_id, active=False, key=key))
    async with await AsyncConnection.connect(world.database_url, autocommit=True) as connection:
        while True:
            found = await connection.execute("SELECT state FROM accounts WHERE account_id = %s", (account_id,))
            if await found.fetchone() == ("INACTIVE",):
                break
            await asyncio.sleep(0.01)
    world.fleet.suite.send("account", signal.SIGKILL)
    with pytest.raises(SellergateError):
        await begun
    world.silent_redis.send(signal.SIGCONT)
    await world.restart_account()
    return await world.delay(account_id, await world.switch(account_id, active=False, key=key), active=False)


async def emptied(world: World, account_id: str) -> float:
    """Restart the gateways' Redis, which comes back empty, around a change."""
    restarting = asyncio.create_task(world.fleet.suite.restart("redis"))
    delay = await world.change(account_id, active=False)
    await restarting
    return delay


async def paused(world: World, account_id: str) -> float:
    """Pause the gateways' Redis for ten seconds, and change the account meanwhile."""
    world.fleet.suite.send("redis", signal.SIGSTOP)
    pausing = asyncio.create_task(asyncio.sleep(10))
    try:
        await asyncio.sleep(1)
        delay = await world.delay(account_id, await world.switch(account_id, active=False), active=False)
        await pausing
    finally:
        world.fleet.suite.send("redis", signal.SIGCONT)
    return delay


async def late_commit(world: World, account_id: str) -> float:
    """Hold the change's transaction open for four seconds after it was listed, while later ones commit."""
    async with await AsyncConnection.connect(world.database_url) as holding:
        await holding.execute("LOCK TABLE audit_events IN SHARE MODE")
        begun = asyncio.create_task(world.switch(account_id, active=False))
        async with await AsyncConnection.connect(world.database_url, autocommit=True) as later:
            for _ in range(40):
                await asyncio.sleep(0.1)
                await later.execute(
                    "INSERT INTO account_changes (kind, subject_id, version, transaction_id, nonce)"
                    " VALUES ('account', 'another', 1, pg_current_xact_id()::text::bigint, '')"
                )
        assert not begun.done()
        for gateway in world.gateways:
            assert await world.is_active(gateway, account_id)
        await holding.rollback()
    return await world.delay(account_id, await begun, active=False)


@pytest.mark.timeout(600)
async def test_a_change_is_in_force_within_five_seconds_after_a_failover_of_the_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, need: Need
) -> None:
    need("pg_basebackup", can_replicate())
    with replicating() as pair:
        monkeypatch.setenv("DATABASE_URL", pair.url)
        async with worlds(tmp_path, pair.url) as world:
            before, during, after = world.fleet.accounts[:3]
            for account_id in (before, during, after):
                await world.warm(account_id, active=True)
            await world.switch(before, active=False)
            pair.primary.kill()
            key = secrets.token_urlsafe(16)
            with pytest.raises(SellergateError):
                await world.switch(during, active=False, key=key)
            accepts = await asyncio.to_thread(pair.promote)
            delay = await world.delay(before, accepts, active=False, outage=True)
            print(f"\nacknowledged by the old primary: in force {delay:.2f} s after the new one accepts changes")
            for account_id, words in ((during, "repeated"), (after, "acknowledged")):
                named = key if account_id == during else secrets.token_urlsafe(16)
                request = pb2.DeleteAccountRequest(account_id=account_id, idempotency_key=named)
                await until_done(world.accounts.DeleteAccount, request)
                delay = await world.delay(account_id, time.monotonic(), active=False)
                print(f"{words} by the new primary: in force after {delay:.2f} s")
            for account_id in (before, during, after):
                await world.change(account_id, active=True)


def can_replicate() -> bool:
    """Return whether this machine has the programs for two servers."""
    try:
        return base_backup().exists()
    except FileNotFoundError:
        return False


@pytest.mark.timeout(1800)
async def test_the_largest_delay_of_a_thousand_changes_under_load(
    tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", postgres_url)
    async with worlds(tmp_path, postgres_url) as world:
        await measured(world, CHANGES, "all announcements lost")
        account = world.fleet.suite.supervisor.processes["account"]
        account.environment["REDIS_URL"] = world.shared_redis
        await world.restart_account()
        # The gateway without a Redis receives none of them.
        world.gateways.pop()
        await measured(world, ANNOUNCED, "announcements received")


async def measured(world: World, count: int, words: str) -> None:
    """Make changes while other accounts are called, and print how late they were."""
    world.delays.clear()
    changed, called = world.fleet.accounts[:CHANGED], world.fleet.accounts[CHANGED:]
    ended, calls = asyncio.Event(), 0

    async def load(account_id: str) -> None:
        nonlocal calls
        while not ended.is_set():
            for gateway in world.gateways:
                assert await world.is_active(gateway, account_id)
                calls += 1
            await asyncio.sleep(0.2)

    async def change(account_id: str) -> None:
        for number in range(count // CHANGED):
            await world.change(account_id, active=bool(number % 2))

    began = time.monotonic()
    loading = [asyncio.create_task(load(account_id)) for account_id in called]
    changing: list[Awaitable[None]] = [change(account_id) for account_id in changed]
    await asyncio.gather(*changing)
    ended.set()
    await asyncio.gather(*loading)
    ordered, seconds = sorted(world.delays), time.monotonic() - began
    assert len(ordered) == count
    print(
        f"\n{words}: {count} changes and {calls} calls of other accounts in {seconds:.0f} s; in force after"
        f" {ordered[count // 2]:.2f} s (median), {ordered[-1]:.2f} s (largest)",
        end="",
    )
