"""Outages of dependencies under load: callers notice nothing while a valid token exists."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from sellergate.iam.v1.iam_service_pb2 import AssumeRoleRequest
from sellergate.iam.v1.iam_service_pb2_grpc import IamServiceStub
from sellergate_common.rpc.channel import invoke, open_channel

from tests.e2e.sellers import Seller
from tests.system.token_fleet import Fleet, Outcomes, fleet

WARM, CALLERS = 40, 8


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[Fleet]:
    async with fleet(tmp_path) as opened:
        for account_id in await opened.add(WARM):
            await opened.tokens.get(account_id)
        yield opened


async def under_load(
    get: Callable[[str], Awaitable[Any]], accounts: list[str], happening: Awaitable[None], pause: float = 0.005
) -> Outcomes:
    """Call for the accounts repeatedly while the body runs."""
    outcomes, over = Outcomes(), asyncio.ensure_future(happening)

    async def caller(first: int) -> None:
        number = first
        while not over.done():
            await outcomes.of(get(accounts[number % len(accounts)]))
            number += CALLERS
            await asyncio.sleep(pause)

    await asyncio.gather(over, *(caller(number) for number in range(CALLERS)))
    return outcomes


async def recovers(world: Fleet) -> None:
    """Assert that a new seller can be connected and has its token within half a minute."""
    end = time.monotonic() + 30
    while True:
        try:
            (fresh,) = await world.add(1)
            assert (await world.tokens.get(fresh)).access_token
        except Exception:
            if time.monotonic() > end:
                raise
            await asyncio.sleep(0.5)
        else:
            return


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", ["redis", "account"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "hung"])
async def test_valid_tokens_go_on_without(world: Fleet, name: str, number: signal.Signals) -> None:
    async def interrupt() -> None:
        await asyncio.sleep(1)
        world.suite.send(name, number)
        await asyncio.sleep(8)
        world.suite.send(name, signal.SIGCONT)
        if number is signal.SIGKILL:
            await world.suite.restart(name)
        await asyncio.sleep(3)

    outcomes = await under_load(world.tokens.get, world.accounts, interrupt())
    print(f"\n{name} {number.name} under load: {outcomes}")
    assert set(outcomes.ended) == {"OK"}
    await recovers(world)


@pytest.mark.timeout(300)
async def test_cold_callers_get_their_tokens_without_redis(world: Fleet) -> None:
    fresh = await world.add(20)
    for number in (signal.SIGSTOP, signal.SIGKILL):
        world.suite.send("redis", number)
        outcomes = Outcomes()
        await asyncio.gather(*(outcomes.of(world.tokens.get(account_id)) for account_id in fresh[:10]))
        print(f"\n10 cold callers, redis {number.name}: {outcomes}")
        assert outcomes.ended == {"OK": 10}
        fresh = fresh[10:]
    await world.suite.restart("redis")
    await recovers(world)


@pytest.mark.timeout(300)
async def test_lwa_is_down_for_a_minute(world: Fleet) -> None:
    (await world.control.post("/control/tokens", json={"life_seconds": 5})).raise_for_status()
    short = await world.add(10)
    for account_id in short:
        await world.tokens.get(account_id)
    valid = world.accounts[:WARM]

    async def down() -> None:
        await asyncio.sleep(1)
        world.suite.send("simulator", signal.SIGKILL)
        await asyncio.sleep(60)

    async def down_and_up() -> None:
        await outage
        # Until its sellers are seeded again, the restarted simulator has none of them; that time is not part of the outage.
        await world.suite.restart("simulator")
        await world.seed()
        await asyncio.sleep(3)

    outage = asyncio.ensure_future(down())
    warm, ended = await asyncio.gather(
        under_load(world.tokens.get, valid, down_and_up()),
        under_load(world.tokens.get, short, asyncio.shield(outage), pause=0.5),
    )
    print(f"\nLWA down for 60 s: valid tokens {warm}; expired ones {ended}")
    assert set(warm.ended) == {"OK"}
    assert set(ended.ended) == {"OK", "AMAZON_UNAVAILABLE"}
    assert not ended.without_hint
    again = Outcomes()
    await asyncio.gather(*(again.of(world.tokens.get(account_id)) for account_id in short))
    assert again.ended == {"OK": len(short)}


@pytest.mark.timeout(300)
async def test_sts_throttles(world: Fleet) -> None:
    sellers = [await Seller.seeded(world.control) for _ in range(6)]
    async with (
        httpx.AsyncClient(base_url=world.suite.edge, trust_env=False) as edge,
        open_channel(world.suite.target("iam"), "iam", world.suite.identity("operator"), []) as channel,
    ):
        headers = {"Authorization": f"Bearer {world.suite.jwt('u1')}"}
        made = [await edge.post("/api/amazon/accounts", json=one.connection(), headers=headers) for one in sellers]
        accounts = [one.json()["id"] for one in made]
        stub = IamServiceStub(channel)

        async def assume(account_id: str) -> None:
            await invoke(stub.AssumeRole, AssumeRoleRequest(account_id=account_id), dependency="iam", seconds=4)

        warm, cold = accounts[:3], accounts[3:]
        for account_id in warm:
            await assume(account_id)

        async def throttled() -> None:
            (await world.control.post("/control/faults", json={"kind": "sts_throttle"})).raise_for_status()
            await asyncio.sleep(10)

        over = asyncio.ensure_future(throttled())
        served, refused = await asyncio.gather(
            under_load(assume, warm, asyncio.shield(over)),
            under_load(assume, cold, asyncio.shield(over), pause=0.2),
        )
        print(f"\nSTS throttles for 10 s: valid credentials {served}; others {refused}")
        assert set(served.ended) == {"OK"}
        assert set(refused.ended) <= {"AMAZON_UNAVAILABLE", "DEPENDENCY_UNAVAILABLE"}
        assert not refused.without_hint
        (await world.control.delete("/control/faults")).raise_for_status()
        await asyncio.sleep(2)  # a recent refusal is not repeated at once
        again = Outcomes()
        await asyncio.gather(*(again.of(assume(account_id)) for account_id in accounts))
        assert again.ended == {"OK": len(accounts)}
