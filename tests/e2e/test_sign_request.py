"""A program without AWS keys gets its requests signed and sends them itself, and Amazon accepts the signature."""

import hashlib

import httpx
import pytest
from sellergate.iam.v1.iam_service_pb2 import HttpHeader, SignRequestRequest
from sellergate.iam.v1.iam_service_pb2_grpc import IamServiceStub
from sellergate_common.errors import InvalidRequest, NotAllowed
from sellergate_common.rpc.channel import invoke, open_channel
from sellergate_devstack.processes.ports import LOOPBACK

from tests.e2e.conftest import Rest
from tests.e2e.sellers import Seller

PATH = "/solicitations/v1/orders/902-1%2F2/solicitations/productReviewAndSellerFeedback"


async def test_a_signed_request_reaches_amazon_and_a_changed_one_does_not(
    rest: Rest, seller: Seller, control: httpx.AsyncClient
) -> None:
    account_id, suite = await rest.connect(seller), rest.suite
    north_america = f"http://{LOOPBACK}:{suite.plan.settings.simulator_port + 1}"
    grant = {"grant_type": "refresh_token", "refresh_token": seller.refresh_token}
    client = {"client_id": seller.client_id, "client_secret": seller.client_secret}
    token = (await control.post("/auth/o2/token", data=grant | client)).json()["access_token"]
    body = '{"note": "日本"}'.encode()
    own = {"x-amz-access-token": token, "content-type": "application/json"}
    request = SignRequestRequest(
        account_id=account_id,
        method="POST",
        url=f"{north_america}{PATH}?marketplaceIds={seller.marketplace_id}",
        headers=[HttpHeader(name=name, value=value) for name, value in own.items()],
        payload_sha256=hashlib.sha256(body).hexdigest(),
    )
    async with open_channel(suite.target("iam"), "iam", suite.identity("client/demo"), []) as channel:
        iam = IamServiceStub(channel)
        added = (await invoke(iam.SignRequest, request, dependency="iam")).headers
        elsewhere = SignRequestRequest(account_id=account_id, method="POST", url="https://sts.amazonaws.com/")
        with pytest.raises(InvalidRequest) as caught:
            await invoke(iam.SignRequest, elsewhere, dependency="iam")
    assert [violation.field for violation in caught.value.violations] == ["url"]
    signed = own | {header.name: header.value for header in added}
    before = (await control.get("/control/counters")).json()["signed_calls"]
    async with httpx.AsyncClient(trust_env=False) as amazon:
        response = await amazon.post(request.url, headers=signed, content=body)
        assert response.status_code == 201, response.text
        assert (await control.get("/control/counters")).json()["signed_calls"] == before + 1
        changed = await amazon.post(request.url, headers=signed, content=body + b" ")
        assert (changed.status_code, changed.json()["errors"][0]["code"]) == (403, "InvalidSignature")
    async with open_channel(suite.target("iam"), "iam", suite.identity("gateway"), []) as channel:
        with pytest.raises(NotAllowed):
            await invoke(IamServiceStub(channel).SignRequest, request, dependency="iam")
