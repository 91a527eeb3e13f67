"""Ten thousand sellers' calls from one stream of the client library, while a gateway of three is killed."""

import asyncio
import hashlib
import json
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sellergate_client import Call, CallOutcome, Sellergate
from sellergate_common.errors import Reason
from sellergate_devstack.processes.supervisor import Process

from tests.e2e.operators import Operator
from tests.system.gateway_fleet import Gateways, gateways

SELLERS, READERS, READS = 10_000, 500, 4
# As many calls as keep two processors busy. More would make each account's first reading late on a machine with much to do.
CONCURRENCY = 16
# A call's own time: a busy machine makes calls late, and lateness is not the subject.
SECONDS = 600.0
WRITE, WRITE_PATH = "reports/2021-06-30/createReportSchedule", "/reports/2021-06-30/schedules"
# 2 a second, burst 2.
READ, READ_PATH = "fba-inventory/v1/getInventorySummaries", "/fba/inventory/v1/summaries"
QUERY = {
    "granularityType": "Marketplace",
    "granularityId": "ATVPDKIKX0DER",
    "marketplaceIds": "ATVPDKIKX0DER",
}
# Refusals on a machine with much to do: nothing was done, and the program makes the call again.
REFUSED = {Reason.DEADLINE_EXCEEDED, Reason.OVERLOADED, Reason.DEPENDENCY_UNAVAILABLE}
MOST_ROUNDS = 20


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[Gateways]:
    async with gateways(tmp_path) as running:
        yield running


def body_of(account_id: str) -> bytes:
    return json.dumps({"reportType": "GET_X", "period": "P1D", "account": account_id}).encode()


def planned(accounts: list[str]) -> list[Call]:
    """Return a write for each seller, and more reads than their burst for some: these wait for quota."""
    json_body: dict[str, Any] = {"content_type": "application/json", "seconds": SECONDS}
    writes = [Call(one, "POST", WRITE_PATH, key=(one, "write"), body=body_of(one), **json_body) for one in accounts]
    reads = [
        Call(one, "GET", READ_PATH, key=(one, number), query=QUERY, seconds=SECONDS)
        for number in range(READS)
        for one in accounts[:READERS]
    ]
    step = len(writes) // len(reads)
    for place, read in enumerate(reads):
        writes.insert((step + 1) * place, read)
    return writes


def made_by(process: Process) -> int:
    """Return how many calls a gateway has finished, by its log."""
    return process.log.read_text(errors="replace").count("GatewayService/Call")


@pytest.mark.timeout(1800)
async def test_a_gateway_is_killed_and_no_call_is_lost_or_made_twice(world: Gateways) -> None:
    began = time.monotonic()
    accounts = await world.fleet.add(SELLERS)
    print(f"\n{SELLERS} sellers connected in {time.monotonic() - began:.0f} s")
    await world.post_control("recording", operation=WRITE)
    calls, identity = planned(accounts), world.fleet.suite.identity("client/demo")
    target = "ipv4:" + ",".join(world.targets)
    outcomes, began, killed = dict[tuple[str, Any], CallOutcome](), time.monotonic(), 0
    left, refused = calls, 0
    async with Sellergate.connect(target, world.fleet.suite.target("account"), identity) as client:
        for _ in range(MOST_ROUNDS):
            keys = list[tuple[str, Any]]()
            async for outcome in client.calls(left, concurrency=CONCURRENCY):
                outcomes[outcome.key] = outcome
                keys.append(outcome.key)
                if not killed and len(outcomes) > len(calls) / 2:
                    busy = max(world.processes, key=made_by)
                    killed = made_by(busy)
                    busy.send(signal.SIGKILL)
            assert sorted(map(str, keys)) == sorted(str(call.key) for call in left), "each call has one outcome"
            left = [one.call for one in outcomes.values() if one.error and one.error.reason in REFUSED]
            refused += len(left)
            if not left:
                break
    seconds = time.monotonic() - began
    ended = Counter(outcome.error.reason if outcome.error else "OK" for outcome in outcomes.values())
    print(
        f"{len(outcomes)} calls in {seconds:.0f} s, a gateway killed after {killed}; {refused} refused, then {dict(ended)}"
    )

    assert killed > len(calls) / 4, "the gateway that was killed had the stream"
    assert outcomes.keys() == {call.key for call in calls}
    assert set(ended) <= {"OK", Reason.AMAZON_OUTCOME_UNKNOWN}, "a call was lost"
    unknown = {key for key, outcome in outcomes.items() if outcome.error}
    assert 0 < len(unknown) <= CONCURRENCY
    assert all(kind == "write" for _, kind in unknown), "each read was made again"

    bodies: dict[str, int] = (await world.fleet.control.get("/control/recording")).json()["bodies"]
    executed = {one: bodies.get(hashlib.sha256(body_of(one)).hexdigest(), 0) for one in accounts}
    assert max(executed.values()) == 1, "no write was made twice, also none that was refused before"
    missing = {one for one, count in executed.items() if not count}
    assert missing <= {one for one, _ in unknown}, "no write was lost in silence"
    reads, writes = await world.counted(READ), await world.counted(WRITE)
    done = sum(executed[account_id] for account_id, _ in unknown)
    print(f"at Amazon: reads {reads}, writes {writes}; {done} of {len(unknown)} unknown writes were executed")
    assert reads["throttled"] == writes["throttled"] == 0
    assert writes["executions"] == sum(executed.values())
    assert READERS * READS <= reads["executions"] <= READERS * READS + CONCURRENCY


@pytest.mark.timeout(300)
async def test_the_command_line_calls_for_all_accounts(world: Gateways) -> None:
    accounts = await world.fleet.add(50)
    operator = Operator(world.fleet.suite)
    operator.environment["SELLERGATE_GATEWAY_TARGET"] = "ipv4:" + ",".join(world.targets)
    words = ("call", "getMarketplaceParticipations", "--all", "--jsonl")
    done = await asyncio.to_thread(operator.types, *words)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert sorted(row["account_id"] for row in rows) == sorted(accounts)
    assert {row["status"] for row in rows} == {200}
