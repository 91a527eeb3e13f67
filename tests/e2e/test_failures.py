"""Processes that die or freeze at any moment: callers get a typed error within their deadline.

Each test waits until the suite works again, since other tests share it.
"""

import asyncio
import signal
import time

import httpx
import pytest
from sellergate_client import OutcomeUnknown, Sellergate, SellergateError, Unavailable

from tests.e2e.conftest import Rest
from tests.e2e.sellers import Seller

DEADLINE = 4.0
# The tolerance of a deadline that several processes on a busy machine enforce.
MARGIN = 2.0
PROCESSES = ("redis", "simulator", "account", "token", "iam", "gateway")
PATH = "/sellers/v1/marketplaceParticipations"


async def one_call(client: Sellergate, account_id: str, method: str = "GET") -> tuple[str, float]:
    """Call once; return how it ended and the seconds it took."""
    began = time.monotonic()
    try:
        await client.call(account_id, method, PATH, sandbox=True, seconds=DEADLINE)
        ended = "OK"
    except SellergateError as error:
        ended = str(error.reason)
    return ended, time.monotonic() - began


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "frozen"])
@pytest.mark.parametrize("name", PROCESSES)
async def test_an_unavailable_process_is_reported_in_time_and_everything_recovers(
    rest: Rest, client: Sellergate, control: httpx.AsyncClient, seller: Seller, name: str, number: signal.Signals
) -> None:
    cold, warm = await rest.connect(seller), await rest.connect(await Seller.seeded(control))
    assert (await one_call(client, warm))[0] == "OK"
    suite = rest.suite
    suite.send(name, number)
    try:
        found = await asyncio.gather(*(one_call(client, account) for account in (cold, warm) for _ in range(3)))
        if number is signal.SIGKILL:  # a frozen process is reported at the edge's own deadline, after half a minute
            over_rest = await rest.request("GET", "/api/amazon/test/status", params={"amazonAccountId": cold})
            assert over_rest.headers["content-type"] in {"application/json", "application/problem+json"}
    finally:
        suite.send(name, signal.SIGCONT)
        await suite.restart(name)
    for ended, seconds in found:
        assert seconds < DEADLINE + MARGIN, (ended, seconds)
        assert ended in {"OK", "DEPENDENCY_UNAVAILABLE", "AMAZON_UNAVAILABLE", "DEADLINE_EXCEEDED"}, ended
    await recovered(rest, client, control)


async def recovered(rest: Rest, client: Sellergate, control: httpx.AsyncClient) -> None:
    """Wait until a new seller can be connected and called for: by a service, and through the edge."""
    seller = await Seller.seeded(control)
    for _ in range(40):
        connected = await rest.request("POST", "/api/amazon/accounts", json=seller.connection())
        if connected.is_success and (await one_call(client, connected.json()["id"]))[0] == "OK":
            params = {"amazonAccountId": connected.json()["id"], "marketplaceId": seller.marketplace_id}
            # The edge has its own channel to the gateway, which reconnects at its own time.
            if (await rest.request("GET", "/api/amazon/test/orders", params=params)).is_success:
                return
        await asyncio.sleep(0.25)
    pytest.fail("ten seconds after the process came back, a new seller still cannot be called for")


async def test_a_write_whose_gateway_dies_has_an_unknown_outcome(
    rest: Rest, client: Sellergate, control: httpx.AsyncClient, seller: Seller
) -> None:
    account_id = await rest.connect(seller)
    fault = {"kind": "slow", "operation": "feeds/2021-06-30/createFeedDocument", "delay_seconds": 3, "count": 1}
    response = await control.post("/control/faults", json=fault)
    assert response.is_success, response.text
    body = {"contentType": "text/plain"}
    write = asyncio.create_task(
        _ended(client.call(account_id, "POST", "/feeds/2021-06-30/documents", json=body, seconds=10))
    )
    await asyncio.sleep(1)
    await rest.suite.restart("gateway")
    error = await write
    await recovered(rest, client, control)
    assert isinstance(error, OutcomeUnknown), error
    assert error.reason == "AMAZON_OUTCOME_UNKNOWN"


async def test_a_write_that_was_never_sent_is_safe_to_repeat(
    rest: Rest, client: Sellergate, control: httpx.AsyncClient, seller: Seller
) -> None:
    account_id = await rest.connect(seller)
    rest.suite.send("gateway", signal.SIGKILL)
    await asyncio.sleep(0.5)
    try:
        error = await _ended(client.call(account_id, "POST", "/feeds/2021-06-30/documents", json={}, seconds=3))
    finally:
        await rest.suite.restart("gateway")
    await recovered(rest, client, control)
    assert isinstance(error, Unavailable), error
    assert error.reason == "DEPENDENCY_UNAVAILABLE"


async def test_a_service_finishes_running_calls_after_a_stop_signal(
    rest: Rest, client: Sellergate, control: httpx.AsyncClient, seller: Seller
) -> None:
    account_id = await rest.connect(seller)
    fault = {"kind": "slow", "operation": "sellers/v1/getMarketplaceParticipations", "delay_seconds": 2, "count": 1}
    assert (await control.post("/control/faults", json=fault)).is_success
    began = asyncio.create_task(client.call(account_id, "GET", PATH, seconds=10))
    await asyncio.sleep(1)
    rest.suite.send("gateway", signal.SIGTERM)
    try:
        assert (await began).status == 200
    finally:
        await rest.suite.restart("gateway")
        await recovered(rest, client, control)


async def _ended(call: object) -> SellergateError | None:
    try:
        await call  # type: ignore[misc]
    except SellergateError as error:
        return error
    return None
