"""The audit trail over REST: a user reads what was done to an own account, without any secret."""

from tests.e2e.conftest import Rest
from tests.e2e.sellers import Seller


async def test_a_user_reads_what_was_done_to_an_account(rest: Rest, seller: Seller) -> None:
    created = await rest.request("POST", "/api/amazon/accounts", json=seller.connection())
    account = f"/api/amazon/accounts/{created.json()['id']}"
    changed = await rest.request("PATCH", account, json={"region": "us-west-2", "labels": {"tier": "gold"}})
    stored = await rest.request("PATCH", account, json={"refreshToken": seller.refresh_token})
    assert (changed.status_code, stored.status_code) == (200, 200)
    response = await rest.request("GET", f"{account}/audit-events")
    assert response.status_code == 200, response.text
    events = response.json()["events"]
    last, *_, first = events
    assert (first["sequence"], first["action"], first["requestId"]) == (
        1,
        "account.created",
        created.headers["x-request-id"],
    )
    assert {(event["caller"], event["userId"]) for event in (first, last)} == {("edge", "u1")}
    (update,) = [event for event in events if event["requestId"] == changed.headers["x-request-id"]]
    assert (update["action"], set(update["detail"].split(","))) == ("account.updated", {"region", "labels"})
    for secret in (*seller.secrets, "us-west-2", "gold"):
        assert secret not in response.text
    seen, path = [], f"{account}/audit-events?pageSize=1"
    while path:
        page = await rest.request("GET", path)
        seen += [event["sequence"] for event in page.json()["events"]]
        path = page.links["next"]["url"] if page.links else ""
    assert seen == [event["sequence"] for event in events] == sorted(seen, reverse=True)
    later = await rest.request("GET", f"{account}/audit-events", params={"since": "2100-01-01T00:00:00Z"})
    assert later.json() == {"events": [], "nextPageToken": ""}


async def test_bad_requests_are_refused_with_their_field(rest: Rest, seller: Seller) -> None:
    account_id = await rest.connect(seller)
    for query, field in (
        ("pageToken=made-up", "pageToken"),
        ("pageSize=0", "pageSize"),
        ("since=2026-01-01", "since"),
        ("newestFirst=true", "newestFirst"),
    ):
        response = await rest.request("GET", f"/api/amazon/accounts/{account_id}/audit-events?{query}")
        assert response.status_code == 400, response.text
        assert [one["field"] for one in response.json()["violations"]] == [field]
