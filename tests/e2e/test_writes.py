"""Writes while Amazon fails in every way: each is executed once, or its outcome is reported as unknown."""

import asyncio
import json
from collections import Counter
from hashlib import sha256

import httpx
import pytest
from sellergate_client import Sellergate
from sellergate_common.errors import Reason, SellergateError

from tests.e2e.conftest import Rest
from tests.e2e.sellers import Seller

PATH, NAME = "/reports/2021-06-30/schedules", "reports/2021-06-30/createReportSchedule"
UNKNOWN = Reason.AMAZON_OUTCOME_UNKNOWN
NOT_DONE = {Reason.AMAZON_QUOTA_EXCEEDED, Reason.AMAZON_UNAVAILABLE, Reason.LOCAL_QUOTA_EXCEEDED}
# A call that wakes too late from its wait for quota is not made. After it was sent, a passed deadline leaves its outcome unknown
# in any process.
NOT_DONE |= {Reason.DEADLINE_EXCEEDED}

pytestmark = pytest.mark.usefixtures("fast")


async def test_writes_are_executed_once_or_reported_as_unknown(
    rest: Rest, control: httpx.AsyncClient, client: Sellergate, seller: Seller
) -> None:
    """tests/system/test_writes.py has ten thousand."""
    await write_all(1_000, 16, rest, control, client, seller)


async def write_all(
    writes: int,
    at_once: int,
    rest: Rest,
    control: httpx.AsyncClient,
    client: Sellergate,
    seller: Seller,
    seconds: float = 2.0,
) -> None:
    """Make a number of writes, several at once, each with a deadline of `seconds`, which some of Amazon's responses miss."""
    slow = 1.5 * seconds
    account_id = await rest.connect(seller)
    (await control.post("/control/rates", json={"scale": 1_000_000, "burst_scale": 1000})).raise_for_status()
    # A response reports the rate. If a 429 came first, calls would wait at the published rate for a minute.
    await client.call(account_id, "POST", PATH, body=b"{}")
    await failing_in_every_way(control, slow)
    outcomes = dict[str, str]()

    async def write(number: int) -> None:
        body = json.dumps({"number": number}).encode()
        outcome = "DONE"
        try:
            await client.call(account_id, "POST", PATH, body=body, seconds=seconds)
        except SellergateError as error:
            outcome = error.reason
        outcomes[sha256(body).hexdigest()] = outcome

    numbers = iter(range(writes))

    async def worker() -> None:
        for number in numbers:
            await write(number)

    await asyncio.gather(*(worker() for _ in range(at_once)))
    # A slow write is still executed, and may be executed late.
    await asyncio.sleep(slow)
    bodies: dict[str, int] = (await control.get("/control/recording")).json()["bodies"]
    ended = Counter(outcomes.values())
    print(f"\n{writes} writes: {dict(ended)}; {sum(bodies.values())} executed")
    assert len(outcomes) == writes
    check(outcomes, bodies)
    assert ended["DONE"] > 0.5 * writes
    assert ended[UNKNOWN] > 0.05 * writes


async def failing_in_every_way(control: httpx.AsyncClient, slow: float) -> None:
    async def post_control(what: str, **document: object) -> None:
        (await control.post(f"/control/{what}", json=document)).raise_for_status()

    await post_control("recording", operation=NAME)
    for executed in (True, False):
        for kind in ("reset", "truncate", "500_json", "500_html", "503_html"):
            await post_control("faults", kind=kind, probability=0.02, executed=executed, operation=NAME)
        await post_control(
            "faults", kind="slow", delay_seconds=slow, probability=0.004, executed=executed, operation=NAME
        )
    for kind in ("429", "429_no_header", "503_json"):
        await post_control("faults", kind=kind, probability=0.03, operation=NAME)


def check(outcomes: dict[str, str], bodies: dict[str, int]) -> None:
    """Compare the outcomes that callers got with the executed writes."""
    assert set(outcomes.values()) <= {"DONE", UNKNOWN, *NOT_DONE}
    assert max(bodies.values()) == 1, "nothing is done twice"
    for body, outcome in outcomes.items():
        if outcome == "DONE":
            assert bodies.get(body) == 1, "nothing is lost in silence"
        elif outcome in NOT_DONE:
            assert body not in bodies, "what is said not to be done is not done"
