"""Ten thousand accounts: one exchange each, however many reads, in bounded memory; and a rotation under their load."""

import asyncio
import secrets
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sellergate.token.v1.token_service_pb2 import HandleRotationRequest

from tests.e2e.token_service import exchanges
from tests.fakes.token import new_secret
from tests.system.token_fleet import Fleet, Outcomes, each, fleet

ACCOUNTS, READS = 10_000, 10
# Measured: about 75 MB after the start, and 3 KB for each token in memory, of which at most 20,000 are kept.
MOST_MEGABYTES = 220
OLD_LIFE = 30.0


def megabytes(pid: int) -> float:
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(status["VmRSS"].split()[0]) / 1024


@pytest.mark.timeout(1800)
async def test_ten_thousand_accounts(tmp_path: Path) -> None:
    async with fleet(tmp_path) as world:
        began = time.monotonic()
        await world.add(ACCOUNTS)
        print(f"\n{ACCOUNTS} accounts connected in {time.monotonic() - began:.0f} s")
        await one_exchange_each(world)
        await a_rotation_under_load(world)


async def one_exchange_each(world: Fleet) -> None:
    pid, before = world.suite.pids["token"], await exchanges(world.control)
    at_first, found = megabytes(pid), dict[str, set[str]]()

    async def read(account_id: str) -> None:
        found.setdefault(account_id, set()).add((await world.tokens.get(account_id)).access_token)

    began = time.monotonic()
    await each(world.accounts, read)
    cold = time.monotonic() - began
    for _ in range(READS - 1):
        await each(world.accounts, read)
    made = await exchanges(world.control) - before
    after = megabytes(pid)
    print(
        f"{ACCOUNTS} x {READS} reads: {made} exchanges, the first round {cold:.0f} s, the others"
        f" {(time.monotonic() - began - cold) / (READS - 1):.0f} s each; token service {at_first:.0f} MB before,"
        f" {after:.0f} MB after (at most {MOST_MEGABYTES})"
    )
    assert made == ACCOUNTS
    assert {len(tokens) for tokens in found.values()} == {1}
    assert len(set.union(*found.values())) == ACCOUNTS
    assert after < MOST_MEGABYTES


async def a_rotation_under_load(world: Fleet) -> None:
    """Let every call make an exchange: before the rotation, before the new secret arrives, and while each secret is valid."""
    await world.tokens.clear()
    fresh, outcomes, before = f"amzn1.oa2-cs.v1.{secrets.token_hex(32)}", Outcomes(), await exchanges(world.control)
    rotation = {"client_id": world.client_id, "new_secret": fresh, "old_life_seconds": OLD_LIFE}
    stop, steps = asyncio.Event(), dict[str, int]()

    async def load() -> None:
        turns = iter(world.accounts * 100)

        async def worker() -> None:
            for account_id in turns:
                if stop.is_set():
                    return
                await outcomes.of(world.tokens.get(account_id))

        await asyncio.gather(*(worker() for _ in range(8)), clearing())

    async def clearing() -> None:
        while not stop.is_set():
            await asyncio.sleep(5)
            await world.tokens.clear()

    async def rotated() -> None:
        await asyncio.sleep(5)
        (await world.control.post("/control/secrets/rotate-client", json=rotation)).raise_for_status()
        steps["rotated at Amazon"] = outcomes.ended.total()
        await asyncio.sleep(OLD_LIFE / 3)
        message = new_secret(world.client_id, fresh, datetime.now(UTC)).encode()
        response = await world.tokens.stub.HandleRotation(HandleRotationRequest(queue_message=message))
        assert response.applied
        steps["stored by Sellergate"] = outcomes.ended.total()
        await asyncio.sleep(OLD_LIFE)
        steps["the old one expired"] = outcomes.ended.total()
        await asyncio.sleep(8)
        stop.set()

    await asyncio.gather(load(), rotated())
    made = await exchanges(world.control) - before
    print(f"rotation under load: {outcomes}; {made} exchanges; calls made when {steps}")
    assert set(outcomes.ended) == {"OK"}
    assert made > ACCOUNTS / 2
    assert min(steps.values()) > 100
