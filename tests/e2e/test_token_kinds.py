"""The kind of token for operations that accept two, named by a REST header and by an option of the command line."""

import json
from typing import Any

import pytest

from tests.e2e.conftest import Rest
from tests.e2e.operators import Operator
from tests.e2e.sellers import Seller
from tests.e2e.test_cli import operator, typed

__all__ = ["operator"]
pytestmark = pytest.mark.usefixtures("fast")
SUBSCRIPTION = "/notifications/v1/subscriptions/ANY_OFFER_CHANGED/s1"


def echo(body: str | bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(body)["echo"]
    assert (found["operation"], found["method"]) == ("notifications/v1/deleteSubscriptionById", "DELETE")
    return found


async def test_the_kind_of_token_is_chosen_over_rest(rest: Rest, seller: Seller) -> None:
    path = f"/api/amazon/accounts/{await rest.connect(seller)}/sp-api"
    for given, partner in (("seller", seller.seller_id), ("Grantless", None), ("", None)):
        headers = {"X-Sellergate-Token-Kind": given} if given else {}
        response = await rest.request("DELETE", path + SUBSCRIPTION, headers=headers)
        assert response.status_code == 200, response.text
        assert echo(response.content)["selling_partner_id"] == partner, given
    refusals = {"both": (SUBSCRIPTION, "x-sellergate-token-kind"), "grantless": ("/sellers/v1/account", "tokenKind")}
    for given, (called, field) in refusals.items():
        response = await rest.request("GET", path + called, headers={"X-Sellergate-Token-Kind": given})
        assert (response.status_code, response.json()["reason"]) == (400, "INVALID_REQUEST"), response.text
        assert [one["field"] for one in response.json()["violations"]] == [field]


async def test_the_kind_of_token_is_chosen_on_the_command_line(rest: Rest, operator: Operator, seller: Seller) -> None:
    words = ("call", "DELETE", SUBSCRIPTION, "-a", await rest.connect(seller))
    assert echo(await typed(operator, *words, "--token-kind", "seller"))["selling_partner_id"] == seller.seller_id
    assert echo(await typed(operator, *words, "--token-kind", "grantless"))["selling_partner_id"] is None
    assert echo(await typed(operator, *words))["selling_partner_id"] is None
    assert "token_kind" in await typed(operator, *words, "--token-kind", "both", code=1)
