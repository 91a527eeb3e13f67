"""Idempotency-Key over REST: a repeat returns the first response."""

import uuid

from tests.e2e.conftest import Rest
from tests.e2e.sellers import Seller


async def test_a_repeated_request_returns_the_first_response(rest: Rest, seller: Seller) -> None:
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    first, again = [
        await rest.request("POST", "/api/amazon/accounts", json=seller.connection(), headers=headers) for _ in range(2)
    ]
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    other = await rest.request("POST", "/api/amazon/accounts", json=seller.connection(sandbox=True), headers=headers)
    assert other.status_code == 400
    assert [violation["field"] for violation in other.json()["violations"]] == ["Idempotency-Key"]

    headers = {"Idempotency-Key": str(uuid.uuid4()), "If-Match": first.headers["etag"]}
    path = f"/api/amazon/accounts/{first.json()['id']}"
    for _ in range(2):
        changed = await rest.request("PATCH", path, json={"region": "eu-west-1"}, headers=headers)
        assert changed.status_code == 200, changed.text
