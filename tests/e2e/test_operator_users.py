"""Operators over REST: they see the accounts of all users where they ask for it, and change none; other users are refused."""

import pytest

from tests.e2e.conftest import OPERATOR, Rest
from tests.e2e.sellers import Seller

ACCOUNTS = "/api/amazon/accounts"


async def test_an_operator_lists_the_accounts_of_all_users(rest: Rest, seller: Seller) -> None:
    users = [f"{name}-{seller.seller_id}" for name in ("first", "second")]
    ids = [await rest.connect(seller, user) for user in users]
    wanted = f"{ACCOUNTS}?allUsers=true&amazonSellerId={seller.seller_id}"
    found = (await rest.request("GET", wanted, OPERATOR)).json()["accounts"]
    assert [(account["id"], account["userId"]) for account in found] == list(zip(ids, users, strict=True))
    one = (await rest.request("GET", f"{ACCOUNTS}?allUsers=true&userId={users[1]}", OPERATOR)).json()["accounts"]
    assert [account["id"] for account in one] == ids[1:]
    seen, path = [], f"{wanted}&pageSize=1"
    while path:
        page = await rest.request("GET", path, OPERATOR)
        seen += [account["id"] for account in page.json()["accounts"]]
        path = page.links["next"]["url"] if page.links else ""
    assert seen == ids
    for secret in seller.secrets:
        assert secret not in str(found)
    plain = (await rest.request("GET", f"{ACCOUNTS}?amazonSellerId={seller.seller_id}", OPERATOR)).json()
    assert plain["accounts"] == [], "without allUsers an operator is a user like any other"


async def test_an_operator_reads_an_account_with_its_history_and_changes_nothing(
    rest: Rest, seller: Seller, fast: None
) -> None:
    account_id = await rest.connect(seller, "owner")
    account = f"{ACCOUNTS}/{account_id}"
    own = (await rest.request("GET", account, "owner")).json()
    assert (await rest.request("GET", f"{account}?allUsers=true", OPERATOR)).json() == own
    assert (await rest.request("GET", account, OPERATOR)).status_code == 404
    started = await rest.request("PUT", f"{account}/capture?allUsers=true", OPERATOR, json={"seconds": 30})
    assert started.status_code == 200, started.text
    listed = await rest.request("GET", f"{account}/calls?allUsers=true", OPERATOR)
    assert listed.json()["captureExpireTime"] == started.json()["expireTime"]
    events = (await rest.request("GET", f"{account}/audit-events?allUsers=true", OPERATOR)).json()["events"]
    assert (events[0]["action"], events[0]["detail"]) == (
        "calls.captured",
        f"all operations for 30 s, by edge for {OPERATOR}",
    )
    assert (await rest.request("GET", f"{account}/audit-events", "owner")).json()["events"] == events
    assert (await rest.request("DELETE", f"{account}/capture?allUsers=true", OPERATOR)).status_code == 204
    for method, given in (("PATCH", {"json": {"region": "us-west-2"}}), ("DELETE", {})):
        assert (await rest.request(method, account, OPERATOR, **given)).status_code == 404
        assert (await rest.request(method, f"{account}?allUsers=true", OPERATOR, **given)).status_code == 400
    assert (await rest.request("GET", account, "owner")).json() == own


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("GET", "/{id}"),
        ("GET", "/{id}/calls"),
        ("GET", "/{id}/audit-events"),
        ("PUT", "/{id}/capture"),
        ("DELETE", "/{id}/capture"),
    ],
)
async def test_another_user_is_refused_for_existing_and_unknown_accounts(
    rest: Rest, seller: Seller, method: str, path: str
) -> None:
    account_id = await rest.connect(seller, "owner")
    given = {"json": {}} if method == "PUT" else {}
    for user in ("owner", "stranger"):
        for id_ in (account_id, "unknown"):
            url = f"{ACCOUNTS}{path.format(id=id_)}?allUsers=true"
            response = await rest.request(method, url, user, **given)
            assert (response.status_code, response.json()["reason"]) == (403, "CALLER_NOT_ALLOWED")


async def test_a_filter_by_user_needs_all_users(rest: Rest) -> None:
    response = await rest.request("GET", f"{ACCOUNTS}?userId=owner", OPERATOR)
    assert (response.status_code, response.json()["violations"][0]["field"]) == (400, "userId")


async def test_the_user_knows_whether_it_is_an_operator(rest: Rest) -> None:
    for user, is_operator in ((OPERATOR, True), ("u1", False)):
        response = await rest.request("GET", "/api/amazon/user", user)
        assert response.json() == {"id": user, "isOperator": is_operator}
