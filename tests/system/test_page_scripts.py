"""Lists of generated pages of up to 10 MB, through the running suite: a program and an operator get all items or an error."""

import asyncio
import base64
import json
from collections.abc import Sequence
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sellergate_client import Sellergate, SellergateError, SellingPartner
from sellergate_gateway.spapi.http import AmazonResponse

from tests.e2e.conftest import Rest
from tests.e2e.operators import Operator
from tests.e2e.sellers import Seller
from tests.unit.gateway.calls.test_pagination import NO_PAGES, ORDERS
from tests.unit.gateway.calls.test_pagination_scripts import Script

SCRIPTS, AT_THE_COMMAND_LINE = 24, 3
OPERATION = "orders/v0/getOrders"
QUERY = {"MarketplaceIds": "ATVPDKIKX0DER", "CreatedAfter": "2026-01-01T00:00:00Z"}


def generated(count: int) -> list[list[Script]]:
    """Return generated lists, the same in every run."""
    found = list[list[Script]]()
    page = st.builds(
        Script,
        items=st.integers(0, 2),
        item_bytes=st.sampled_from([50_000, 550_000, 5_000_000]),
        is_packed=st.booleans(),
        before=st.lists(st.sampled_from(NO_PAGES), max_size=3).map(tuple),
        cuts=st.lists(st.floats(0, 0.999), max_size=1).map(tuple),
    )

    @settings(
        max_examples=count,
        phases=[Phase.generate],
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(page, min_size=1, max_size=4))
    def collect(scripts: list[Script]) -> None:
        found.append(scripts)

    collect()
    return found[:count]


async def order(control: httpx.AsyncClient, scripts: Sequence[Script]) -> list[list[str]]:
    """Have the simulator respond with these pages, and with what comes before each. Return the ids of each page's items."""
    (await control.request("DELETE", "/control/faults")).raise_for_status()
    pages = list[list[str]]()
    for number, script in enumerate(scripts):
        for step in script.steps(number, f"t{number}" if number + 1 < len(scripts) else None):
            assert isinstance(step, AmazonResponse)
            body = base64.b64encode(step.body).decode()
            response = {"status": step.status, "headers": dict(step.headers), "body": body}
            fault = {"kind": "given", "count": 1, "operation": OPERATION, "response": response}
            (await control.post("/control/faults", json=fault, timeout=60)).raise_for_status()
        pages.append([f"{number}-{item}" for item in range(script.items)])
    return pages


def items_of(page: Any) -> list[str]:
    return [one["AmazonOrderId"] for one in page["payload"]["Orders"]]


async def read_by_client(client: Sellergate, account_id: str) -> tuple[list[str], bool]:
    """Return the ids that a program got, and whether the list ended without an error."""
    found = list[str]()
    async with SellingPartner(account_id, sellergate=client) as partner:
        try:
            async for page in partner.pages(ORDERS, QUERY, seconds=120):
                found += items_of(page.json())
        except SellergateError:
            return found, False
    return found, True


async def read_at_command_line(operator: Operator, account_id: str) -> tuple[list[str], bool]:
    """Return the ids that an operator got, and whether the command ended with exit code 0."""
    parameters = [word for name, value in QUERY.items() for word in ("-p", f"{name}={value}")]
    done = await asyncio.to_thread(operator.types, "pages", ORDERS, "-a", account_id, *parameters)
    assert (done.returncode == 0) is (done.stderr == ""), done.stderr
    return [item for line in done.stdout.splitlines() for item in items_of(json.loads(line))], done.returncode == 0


@pytest.mark.timeout(1200)
async def test_programs_and_operators_get_all_items_or_an_error(
    rest: Rest, client: Sellergate, control: httpx.AsyncClient, fast: None
) -> None:
    operator, ended = Operator(rest.suite), list[bool]()
    operator.environment["SELLERGATE_GATEWAY_TARGET"] = rest.suite.target("gateway")
    for number, scripts in enumerate(generated(SCRIPTS)):
        # The retry budget of an account is for one list of unreadable pages, not for all of them.
        account_id = await rest.connect(await Seller.seeded(control))
        ways = [read_by_client(client, account_id)]
        if number % AT_THE_COMMAND_LINE == 0:
            ways.append(read_at_command_line(operator, account_id))
        for way in ways:
            pages = await order(control, scripts)
            found, is_whole = await way
            wholes = [[item for page in pages[:count] for item in page] for count in range(len(pages) + 1)]
            assert found == wholes[-1] if is_whole else found in wholes[:-1], (number, found, pages)
            ended.append(is_whole)
    (await control.request("DELETE", "/control/faults")).raise_for_status()
    print(f"\n{len(ended)} lists: {sum(ended)} whole, {len(ended) - sum(ended)} with an error")
    assert 5 < sum(ended) < len(ended) - 3
