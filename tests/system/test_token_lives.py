"""Short-lived tokens under load: no caller waits for LWA or gets an expiring token; and a secret that expires meanwhile."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest
from sellergate.account.v1.application_service_pb2 import RotateClientSecretRequest
from sellergate.account.v1.application_service_pb2_grpc import ApplicationServiceStub
from sellergate_common.rpc.channel import invoke, open_channel

from tests.e2e.conftest import Rest
from tests.e2e.sellers import Seller
from tests.e2e.test_token_counts import application_of
from tests.e2e.token_service import exchanges, left, token_service

LIFE, LEAST, LWA_SECONDS, OLD_LIFE = 12.0, 0.6, 0.8, 20.0


async def under_load(callers: int, seconds: float, call: Callable[[int], Awaitable[None]]) -> int:
    """Let callers call repeatedly; return the number of calls. The first failure ends it."""
    end, made = time.monotonic() + seconds, 0

    async def caller(number: int) -> None:
        nonlocal made
        while time.monotonic() < end:
            await call(number)
            made += 1
            await asyncio.sleep(0.02)

    await asyncio.gather(*(caller(number) for number in range(callers)))
    return made


@pytest.fixture
async def short_lives(control: httpx.AsyncClient) -> AsyncIterator[None]:
    (await control.post("/control/tokens", json={"life_seconds": LIFE})).raise_for_status()
    slow = {"kind": "lwa_slow", "delay_seconds": LWA_SECONDS}
    (await control.post("/control/faults", json=slow)).raise_for_status()
    yield
    (await control.delete("/control/faults")).raise_for_status()
    (await control.post("/control/tokens", json={"life_seconds": 3600})).raise_for_status()


@pytest.mark.usefixtures("short_lives")
async def test_over_three_lifetimes_no_caller_waits_and_every_token_is_valid_long_enough(
    rest: Rest, control: httpx.AsyncClient, seller: Seller
) -> None:
    account_id, waits, least, seen = await rest.connect(seller), [0.0], [LIFE], set[str]()
    async with token_service(rest.suite) as tokens:
        await tokens.get(account_id)
        before, renewed = await exchanges(control), (await tokens.stats()).renewals

        async def call(_: int) -> None:
            began = time.monotonic()
            response = await tokens.get(account_id, LEAST)
            least[0] = min(least[0], left(response))
            waits[0] = max(waits[0], time.monotonic() - began)
            seen.add(response.access_token)

        made = await under_load(8, 3 * LIFE, call)
        renewals = (await tokens.stats()).renewals - renewed
    print(f"{made} calls, the longest {waits[0]:.3f} s, the least life {least[0]:.2f} s, {renewals} renewals")
    assert waits[0] < LWA_SECONDS
    assert least[0] >= LEAST
    assert 3 <= len(seen) - 1 == renewals == await exchanges(control) - before <= 4


async def test_a_secret_is_rotated_and_the_old_one_ends_without_a_failed_call(
    rest: Rest, control: httpx.AsyncClient
) -> None:
    seller = await Seller.seeded(control)
    application_id, fresh = await application_of(rest, seller), f"amzn1.oa2-cs.v1.{secrets.token_hex(32)}"
    connection = seller.connection(applicationId=application_id, lwaClientId=None, lwaClientSecret=None)
    account_id = (await rest.request("POST", "/api/amazon/accounts", json=connection)).json()["id"]
    rotation = {"client_id": seller.client_id, "new_secret": fresh, "old_life_seconds": OLD_LIFE}
    before = await exchanges(control)
    async with token_service(rest.suite) as tokens:

        async def call(_: int) -> None:
            await tokens.clear(account_id)
            assert (await tokens.get(account_id)).access_token

        async def rotated() -> None:
            await asyncio.sleep(2)
            (await control.post("/control/secrets/rotate-client", json=rotation)).raise_for_status()
            await asyncio.sleep(OLD_LIFE / 2)  # only now does Sellergate get the new secret
            request = RotateClientSecretRequest(application_id=application_id, client_secret=fresh)
            async with open_channel(
                rest.suite.target("account"), "account", rest.suite.identity("operator"), []
            ) as channel:
                await invoke(ApplicationServiceStub(channel).RotateClientSecret, request, dependency="account")

        made, _ = await asyncio.gather(under_load(3, OLD_LIFE + 6, call), rotated())
    made_exchanges = await exchanges(control) - before
    print(f"{made} calls and {made_exchanges} exchanges over a rotation, 0 failed")
    assert made_exchanges > made / 4
    grant = {"grant_type": "refresh_token", "refresh_token": seller.refresh_token, "client_id": seller.client_id}
    for secret, status in ((seller.client_secret, 401), (fresh, 200)):
        response = await control.post("/auth/o2/token", data=grant | {"client_secret": secret})
        assert response.status_code == status, response.text
