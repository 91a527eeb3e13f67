"""Another user's accounts and clients look like missing ones on every route that takes an id."""

import re
from typing import Any

import pytest

from tests.e2e.conftest import Rest
from tests.e2e.dropin import DropIn
from tests.e2e.sellers import Seller

ACCOUNT = "/api/amazon/accounts/{id}"
ROUTES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("GET", ACCOUNT, {}),
    ("PATCH", ACCOUNT, {"json": {"region": "us-east-1"}}),
    ("DELETE", ACCOUNT, {}),
    ("DELETE", ACCOUNT + "?hard=true", {}),
    ("GET", ACCOUNT + "/quotas", {}),
    ("GET", ACCOUNT + "/calls", {}),
    ("GET", ACCOUNT + "/audit-events", {}),
    ("PUT", ACCOUNT + "/capture", {"json": {}}),
    ("DELETE", ACCOUNT + "/capture", {}),
    ("GET", ACCOUNT + "/sp-api/sellers/v1/marketplaceParticipations", {}),
    ("POST", ACCOUNT + "/sp-api/feeds/2021-06-30/feeds", {"json": {}}),
    ("GET", "/api/amazon/test/status?amazonAccountId={id}", {}),
    ("GET", "/api/amazon/test/orders?amazonAccountId={id}&marketplaceId=ATVPDKIKX0DER", {}),
    ("POST", "/api/amazon/clients", {"json": {"accountIds": ["{id}"]}}),
)


@pytest.mark.parametrize(("method", "path", "given"), ROUTES)
async def test_another_users_rows_are_not_found(
    rest: Rest, seller: Seller, method: str, path: str, given: dict[str, Any]
) -> None:
    account_id = await rest.connect(seller, "owner")
    responses = []
    for id_ in (account_id, "no-such-account"):
        body = {name: [id_] if name == "accountIds" else value for name, value in given.get("json", {}).items()}
        response = await rest.request(method, path.format(id=id_), "stranger", **({"json": body} if given else {}))
        responses.append(
            (response.status_code, re.sub(r'"(requestId|ms)":[^,}]*|' + re.escape(id_), "", response.text))
        )
    assert responses[0] == responses[1]
    assert responses[0][0] == 404
    assert (await rest.request("GET", ACCOUNT.format(id=account_id), "owner")).json()["state"] == "ACTIVE"


async def test_lists_and_clients_do_not_show_another_users_rows(rest: Rest, seller: Seller) -> None:
    account_id = await rest.connect(seller, "owner")
    made = await DropIn.made(rest, "owner", account_id)
    for path in ("accounts", "clients", "applications"):
        listed = await rest.request("GET", f"/api/amazon/{path}?pageSize=500", "stranger")
        assert account_id not in listed.text
        assert made.client_id not in listed.text
    foreign = await rest.request("DELETE", f"/api/amazon/clients/{made.client_id}", "stranger")
    unknown = await rest.request("DELETE", "/api/amazon/clients/sgc_nobody", "stranger")
    assert (foreign.status_code, foreign.json()["detail"]) == (unknown.status_code, unknown.json()["detail"])
    assert foreign.status_code == 404


async def test_pages_have_links_and_unchanged_accounts_are_304(rest: Rest, seller: Seller) -> None:
    user = f"pages-{seller.seller_id}"
    for marketplace in ("US", "CA", "MX"):
        response = await rest.request(
            "POST", "/api/amazon/accounts", user, json=seller.connection(marketplace=marketplace)
        )
        assert response.status_code == 201
    path, seen = "/api/amazon/accounts?pageSize=2", []
    while path:
        page = await rest.request("GET", path, user)
        seen += [account["marketplace"] for account in page.json()["accounts"]]
        path = page.links["next"]["url"] if page.links else ""
    assert seen == ["US", "CA", "MX"]
    one = await rest.request("GET", response.headers["location"], user)
    again = await rest.request(
        "GET", response.headers["location"], user, headers={"If-None-Match": one.headers["etag"]}
    )
    assert (again.status_code, again.content) == (304, b"")
    operations = await rest.request("GET", "/api/amazon/operations?search=searchOrders", user)
    assert operations.json()["operations"][0]["rate"] == 0.0056
    quotas = await rest.request("GET", f"{response.headers['location']}/quotas?operation=getReport", user)
    assert [quota["operation"] for quota in quotas.json()["quotas"]] == ["getReport"]
