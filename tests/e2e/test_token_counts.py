"""The number of token requests to Amazon; no caller gets another seller's token."""

import asyncio

import httpx
import pytest
from sellergate.account.v1 import application_pb2, application_service_pb2
from sellergate.account.v1.application_service_pb2_grpc import ApplicationServiceStub
from sellergate_common.errors import PreconditionFailed, Reason
from sellergate_common.rpc.channel import invoke, open_channel
from sellergate_devstack.processes.ports import LOOPBACK, free_ports

from tests.e2e.conftest import Rest
from tests.e2e.sellers import Seller
from tests.e2e.token_service import exchanges, lwa_calls, token_service

ROTATION = "sellingpartnerapi::client_credential:rotation"


async def test_eleven_sellers_in_three_rounds_cost_eleven_exchanges(rest: Rest, control: httpx.AsyncClient) -> None:
    accounts = [await rest.connect(await Seller.seeded(control)) for _ in range(11)]
    before = await exchanges(control)
    async with token_service(rest.suite) as tokens:
        rounds = [[(await tokens.get(account)).access_token for account in accounts] for _ in range(3)]
    assert await exchanges(control) - before == 11
    assert rounds[0] == rounds[1] == rounds[2]
    assert len(set(rounds[0])) == 11


async def test_each_of_two_applications_has_its_own_token_of_a_scope(rest: Rest, control: httpx.AsyncClient) -> None:
    sellers = [await Seller.seeded(control) for _ in range(2)]
    ids = [await application_of(rest, seller) for seller in sellers]
    before = await exchanges(control)
    async with token_service(rest.suite) as tokens:
        found = await asyncio.gather(*(tokens.grantless(ids[number % 2], ROTATION) for number in range(100)))
    mine, others = set(found[::2]), set(found[1::2])
    assert (len(mine), len(others), len(mine | others)) == (1, 1, 2)
    assert await exchanges(control) - before == 2
    # Amazon rotates the secret of the token's application; only the first of the two has a queue for the new one.
    queue = {"client_id": sellers[0].client_id, "queue_url": f"http://{LOOPBACK}:{free_ports(1)[0]}/1/nobody"}
    (await control.post("/control/secrets/queue", json=queue)).raise_for_status()
    url = f"http://{LOOPBACK}:{rest.suite.plan.settings.simulator_port + 1}/applications/2023-11-30/clientSecret"
    async with httpx.AsyncClient(trust_env=False) as amazon:
        for (token,), status in ((others, 400), (mine, 204)):
            response = await amazon.post(url, headers={"x-amz-access-token": token})
            assert response.status_code == status, response.text


async def test_a_revoked_grant_is_exchanged_once_for_all_callers(
    rest: Rest, control: httpx.AsyncClient, seller: Seller
) -> None:
    account_id = await rest.connect(seller)
    revoked = {"refresh_token": seller.refresh_token, "access_tokens": True}
    (await control.post("/control/secrets/revoke-grant", json=revoked)).raise_for_status()
    before = await lwa_calls(control)
    async with token_service(rest.suite) as tokens:
        first = await refusal(tokens.get(account_id))
        assert await lwa_calls(control) - before == 1, "nothing is tried again"
        more = await asyncio.gather(*(refusal(tokens.get(account_id)) for _ in range(100)))
    assert {one.reason for one in (first, *more)} == {Reason.AUTHORIZATION_REVOKED}
    assert "authorize" in first.message
    assert await lwa_calls(control) - before == 1
    shown = (await rest.request("GET", f"/api/amazon/accounts/{account_id}")).json()
    assert shown["state"] == "AUTHORIZATION_REVOKED"


async def refusal(call: object) -> PreconditionFailed:
    with pytest.raises(PreconditionFailed) as caught:
        await call  # type: ignore[misc]
    return caught.value


async def application_of(rest: Rest, seller: Seller) -> str:
    new = application_service_pb2.CreateApplicationRequest(
        application=application_pb2.Application(name=seller.seller_id),
        lwa_client_id=seller.client_id,
        lwa_client_secret=seller.client_secret,
    )
    async with open_channel(rest.suite.target("account"), "account", rest.suite.identity("operator"), []) as channel:
        made = await invoke(ApplicationServiceStub(channel).CreateApplication, new, dependency="account")
    return str(made.application.application_id)
