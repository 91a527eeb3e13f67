"""Recent calls over REST: a user captures the calls of an account and lists them; another user finds nothing."""

import asyncio
from typing import Any

from tests.e2e.conftest import Rest
from tests.e2e.operators import Operator
from tests.e2e.sellers import Seller

PATH, OPERATION = "sellers/v1/marketplaceParticipations", "sellers/v1/getMarketplaceParticipations"


async def listed(rest: Rest, account_id: str, count: int) -> dict[str, Any]:
    """Return the list when it has `count` calls."""
    async with asyncio.timeout(20):
        while True:
            response = await rest.request("GET", f"/api/amazon/accounts/{account_id}/calls")
            assert response.status_code == 200, response.text
            if len(response.json()["calls"]) >= count:
                return dict(response.json())
            await asyncio.sleep(0.1)


async def test_calls_are_listed_while_they_are_captured(rest: Rest, seller: Seller, fast: None) -> None:
    account = f"/api/amazon/accounts/{await rest.connect(seller)}"
    account_id = account.rpartition("/")[2]
    empty = (await rest.request("GET", f"{account}/calls")).json()
    assert empty == {"calls": [], "nextPageToken": "", "captureExpireTime": None}
    started = await rest.request("PUT", f"{account}/capture", json={"seconds": 60})
    assert started.status_code == 200, started.text
    assert started.json()["accountId"] == account_id
    made = [
        await rest.request("GET", f"{account}/sp-api/{path}")
        for path in (
            f"{PATH}?unused=private-value",
            "reports/2021-06-30/reports/unknown",
            "orders/v0/orders/1/buyerInfo",
        )
    ]
    page = await listed(rest, account_id, 4)  # one of them gets a Restricted Data Token
    assert page["captureExpireTime"] == started.json()["expireTime"]
    by_id = {call["requestId"]: call for call in page["calls"] if "tokens" not in call["path"]}
    read, invalid, restricted = (by_id[response.headers["x-request-id"]] for response in made)
    assert (read["operation"], read["method"], read["path"]) == (OPERATION, "GET", f"/{PATH}")
    assert (read["status"], read["failure"], read["error"]) == (200, "", "")
    assert read["queryNames"] == ["unused"]
    assert read["amazonRequestId"] == made[0].headers["x-amzn-requestid"]
    assert read["ms"] > 0
    assert (invalid["status"], invalid["operation"]) == (
        made[1].status_code,
        "reports/2021-06-30/getReport",
    )
    assert "errors" in invalid["error"]
    assert restricted["operation"] == "orders/v0/getOrderBuyerInfo"
    assert restricted["error"] == "" or restricted["error"].startswith("[")
    for secret in (*seller.secrets, "Atza|", "private-value", "x-amz-access-token"):
        assert secret not in str(page)
    seen, path = [], f"{account}/calls?pageSize=2"
    while path:
        response = await rest.request("GET", path)
        seen += [call["requestId"] for call in response.json()["calls"]]
        path = response.links["next"]["url"] if response.links else ""
    assert seen == [call["requestId"] for call in page["calls"]]
    assert (await rest.request("DELETE", f"{account}/capture")).status_code == 204
    after = (await rest.request("GET", f"{account}/calls")).json()
    assert (after["calls"], after["captureExpireTime"]) == (page["calls"], None)


async def test_a_capture_is_recorded_with_its_user(rest: Rest, seller: Seller, fast: None) -> None:
    account_id = await rest.connect(seller)
    await rest.request("PUT", f"/api/amazon/accounts/{account_id}/capture", json={"seconds": 1})
    shown = await asyncio.to_thread(Operator(rest.suite).types, "audit", "list", account_id)
    assert "all operations for 1 s, by edge for u1" in shown.stdout


async def test_bad_requests_are_refused_with_their_field(rest: Rest, seller: Seller) -> None:
    account = f"/api/amazon/accounts/{await rest.connect(seller)}"
    for method, path, body, field in (
        ("PUT", "capture", {"seconds": 0}, "seconds"),
        ("PUT", "capture", {"seconds": 1801}, "seconds"),
        ("PUT", "capture", {"second": 5}, "second"),
        ("PUT", "capture?seconds=5", {}, "seconds"),
        ("GET", "calls?pageToken=made-up", None, "pageToken"),
        ("GET", "calls?page_size=5", None, "pageSize"),
        ("GET", "calls?pageSize=501", None, "pageSize"),
        ("DELETE", "capture?hard=true", None, "hard"),
    ):
        given = {} if body is None else {"json": body}
        response = await rest.request(method, f"{account}/{path}", **given)
        assert response.status_code == 400, response.text
        assert [one["field"] for one in response.json()["violations"]] == [field]
