"""An account service started before its PostgreSQL: its health reports the cause, and it serves once the database is up."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from sellergate.account.v1.account_service_pb2 import ListAccountsRequest
from sellergate.account.v1.account_service_pb2_grpc import AccountServiceStub
from sellergate_common.rpc.channel import invoke, open_channel
from sellergate_devstack.plan import Plan, make_plan
from sellergate_devstack.processes.ports import LOOPBACK, free_ports, is_taken
from sellergate_devstack.processes.supervisor import Process, Supervisor
from sellergate_devstack.servers.postgres import running_postgres
from sellergate_devstack.settings import DevstackSettings
from sellergate_devstack.state import State

from tests.e2e.conftest import ephemeral_ports

LATE_SECONDS = 5.0
PROCESS, DATABASE, REDIS = "", "dependency/database", "dependency/redis"
SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING


@dataclass
class Early:
    """An account service and Redis, without a database."""

    plan: Plan
    account: Process
    database_port: int
    health_port: int

    async def states(self) -> dict[str, int]:
        """Return the states on the port for probes, once all are known."""
        async with (
            asyncio.timeout(90),
            grpc.aio.insecure_channel(f"{LOOPBACK}:{self.health_port}") as channel,
        ):
            stub = health_pb2_grpc.HealthStub(channel)
            while True:
                try:
                    return {
                        name: (await stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=5)).status
                        for name in (PROCESS, DATABASE, REDIS)
                    }
                except grpc.aio.AioRpcError:
                    await asyncio.sleep(0.05)

    def logged(self) -> list[str]:
        """Return the events in the service's log; every line is an event."""
        return [json.loads(line)["event"] for line in self.account.log.read_text().splitlines()]


@asynccontextmanager
async def early_account(folder: Path, wait_seconds: float) -> AsyncIterator[Early]:
    """Start Redis, and an account service that waits a given time for its database."""
    settings = DevstackSettings(state_dir=folder, simulator="on", **ephemeral_ports())
    plan, supervisor = make_plan(settings, State(folder)), Supervisor(lambda _: None)
    by_name = {process.name: process for process in plan.processes()}
    early = Early(plan, by_name["account"], *free_ports(2))
    early.account.environment |= {
        "DATABASE_URL": f"postgresql://postgres@{LOOPBACK}:{early.database_port}/postgres",
        "SELLERGATE_DATABASE_WAIT_SECONDS": str(wait_seconds),
        "SELLERGATE_HEALTH_PORT": str(early.health_port),
    }
    try:
        await supervisor.start(by_name["redis"])
        supervisor.processes["account"] = early.account
        early.account.start()
        yield early
    finally:
        await supervisor.stop()


@pytest.mark.timeout(400)
async def test_it_serves_once_the_database_is_up_and_health_says_why_it_does_not_before(tmp_path: Path) -> None:
    async with early_account(tmp_path, 120) as early:
        assert await early.states() == {PROCESS: NOT_SERVING, DATABASE: NOT_SERVING, REDIS: SERVING}
        await asyncio.sleep(LATE_SECONDS)
        assert await early.states() == {PROCESS: NOT_SERVING, DATABASE: NOT_SERVING, REDIS: SERVING}
        assert not is_taken(early.plan.port("account")), "callers would hang there"
        assert not early.account.has_ended()
        assert sorted(early.logged()) == ["dependency", "waiting_for_database"]
        with ExitStack() as database:
            await asyncio.to_thread(database.enter_context, running_postgres(early.database_port))
            async with asyncio.timeout(90):
                while await early.states() != {PROCESS: SERVING, DATABASE: SERVING, REDIS: SERVING}:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            async with open_channel(early.plan.target("account"), "account", early.plan.operator, []) as channel:
                stub = AccountServiceStub(channel)
                found = await invoke(stub.ListAccounts, ListAccountsRequest(), dependency="account")
            assert not found.accounts
            assert early.logged().count("waiting_for_database") == 1
            assert "Traceback" not in early.account.log.read_text()


@pytest.mark.timeout(120)
async def test_it_gives_up_in_time_with_one_line_that_names_the_database(tmp_path: Path) -> None:
    async with early_account(tmp_path, 1) as early:
        handle = early.account.handle
        assert handle is not None
        assert await asyncio.to_thread(handle.wait, 100) == 1
        (last,) = [
            json.loads(line) for line in early.account.log.read_text().splitlines() if "database_is_down" in line
        ]
        assert (last["host"], last["port"]) == (LOOPBACK, early.database_port)
        assert "Traceback" not in early.account.log.read_text()
