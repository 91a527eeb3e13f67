"""The wait of REST and SDK calls for quota, and the Retry-After of a 429."""

import httpx
import pytest

from tests.e2e.conftest import Rest
from tests.e2e.dropin import DropIn
from tests.e2e.sellers import Seller

SELLERS = "/sellers/v1/marketplaceParticipations"
OPERATION = "sellers/v1/getMarketplaceParticipations"
INVENTORY = "/fba/inventory/v1/summaries"
MAX_WAIT = "x-sellergate-max-wait"


async def test_amazons_own_429_has_a_retry_after_over_rest_and_for_sdks(
    rest: Rest, control: httpx.AsyncClient, seller: Seller
) -> None:
    account_id = await rest.connect(seller)
    token = await (await DropIn.made(rest, "u1", account_id)).token(rest.client)
    fault = {"kind": "429_no_header", "operation": OPERATION}
    (await control.post("/control/faults", json=fault)).raise_for_status()
    try:
        passed = await rest.request("GET", f"/api/amazon/accounts/{account_id}/sp-api{SELLERS}")
        assert passed.json()["errors"][0]["code"] == "QuotaExceeded"
        direct = await rest.client.get(SELLERS, headers={"x-amz-access-token": token})
    finally:
        (await control.delete("/control/faults")).raise_for_status()
    for response in (passed, direct):
        assert response.status_code == 429
        assert int(response.headers["retry-after"]) >= 1
    # The catalogue has 0.016 calls per second.
    assert int(passed.headers["retry-after"]) == 63


async def test_a_call_waits_as_long_as_its_header_says(rest: Rest, seller: Seller) -> None:
    account_id = await rest.connect(seller)
    path = f"/api/amazon/accounts/{account_id}/sp-api{INVENTORY}"
    where = {"granularityType": "Marketplace", "granularityId": seller.marketplace_id}
    params = {**where, "marketplaceIds": seller.marketplace_id}
    for wait, statuses in (("0", {200, 429}), ("15", {200})):
        found = [await rest.request("GET", path, params=params, headers={MAX_WAIT: wait}) for _ in range(4)]
        assert {response.status_code for response in found} == statuses, wait
    refused = next(
        response for response in [await rest.request("GET", path, params=params) for _ in range(4)] if response.is_error
    )
    assert (refused.status_code, refused.json()["reason"]) == (429, "LOCAL_QUOTA_EXCEEDED")
    assert int(refused.headers["retry-after"]) >= 1
    token = await (await DropIn.made(rest, "u1", account_id)).token(rest.client)
    headers = {"x-amz-access-token": token, MAX_WAIT: "15"}
    assert [(await rest.client.get(INVENTORY, params=params, headers=headers)).status_code for _ in range(4)] == [
        200
    ] * 4


@pytest.mark.parametrize("wait", ["", "-1", "20.1", "1e1", "nan", "soon", "21", "0x1", "1,5"])
async def test_an_invalid_wait_is_refused_by_field(rest: Rest, seller: Seller, wait: str) -> None:
    account_id = await rest.connect(seller)
    refused = await rest.request("GET", f"/api/amazon/accounts/{account_id}/sp-api{SELLERS}", headers={MAX_WAIT: wait})
    assert (refused.status_code, refused.json()["violations"][0]["field"]) == (400, MAX_WAIT)
