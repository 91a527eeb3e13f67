"""The quota of an account on a page: one call of the gateway for any number of operations."""

import asyncio
import json
from typing import Any
from urllib.parse import urlencode

from sellergate_amazon.common_calls import COMMON_OPERATIONS
from sellergate_edge.console.routes import MAX_QUOTAS

from tests.e2e.conftest import Rest
from tests.e2e.sellers import Seller


async def gateway_calls(rest: Rest, request_id: str) -> list[str]:
    """The calls that the gateway has logged of a request."""
    async with asyncio.timeout(20):
        while True:
            lines = rest.suite.log("gateway").read_text().splitlines()
            found: list[dict[str, Any]] = [json.loads(line) for line in lines if f'"{request_id}"' in line]
            if calls := [str(line["method"]) for line in found if "GatewayService/" in str(line.get("method", ""))]:
                return calls
            await asyncio.sleep(0.05)


async def test_a_page_of_quotas_is_one_call_of_the_gateway(rest: Rest, seller: Seller) -> None:
    user = f"quotas-{seller.seller_id}"
    page = f"/api/amazon/accounts/{await rest.connect(seller, user)}/quotas"
    found = await rest.request("GET", "/api/amazon/operations?pageSize=100", user)
    many = [row["name"] for row in found.json()["operations"]][:MAX_QUOTAS]
    for names, query in (
        (list(COMMON_OPERATIONS), ""),
        (many, f"?{urlencode([('operation', name) for name in many])}"),
    ):
        response = await rest.request("GET", page + query, user)
        assert [row["operation"] for row in response.json()["quotas"]] == names
        calls = await gateway_calls(rest, response.headers["x-request-id"])
        assert [call.rpartition("/")[2] for call in calls] == ["GetQuota"]


async def test_an_unknown_operation_among_others_is_named(rest: Rest, seller: Seller) -> None:
    user = f"quotas-{seller.seller_id}"
    page = f"/api/amazon/accounts/{await rest.connect(seller, user)}/quotas"
    response = await rest.request("GET", f"{page}?operation=getReport&operation=getNothing", user)
    assert response.status_code == 404
    assert response.json()["reason"] == "OPERATION_NOT_FOUND"
