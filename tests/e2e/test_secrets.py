"""No secret or token is in a log, in Redis, in the database's files, in a trace or in a response.

At the end of a suite, the data of all other tests are searched too: see its fixture.
"""

import pytest
from sellergate_common.crypto.sealing import KeyRing

from tests.e2e import hunt
from tests.e2e.collector import Collector
from tests.e2e.conftest import Rest
from tests.e2e.sellers import Seller


async def test_no_secret_is_found_anywhere(rest: Rest, seller: Seller, collector: Collector) -> None:
    account_id = await rest.connect(seller)
    params = {"amazonAccountId": account_id, "marketplaceId": seller.marketplace_id}
    orders = await rest.request("GET", "/api/amazon/test/orders", params=params)
    assert orders.status_code == 200, orders.text
    await rest.request("POST", "/api/amazon/accounts", json=seller.connection(lwaClientSecret=None, marketplace="XX"))
    wrong = f"Bearer {rest.suite.jwt('u1')}x"
    await rest.client.get("/api/amazon/accounts", headers={"Authorization": wrong})
    known = [*(secret.encode() for secret in seller.secrets), *hunt.secrets_of(rest.suite)]
    places = await hunt.places_of(rest.suite)
    assert any(b'"level":"debug"' in text for text in places.values()), "the logs must be at debug"
    assert any(b"CREATE TABLE accounts" in text for name, text in places.items() if name.startswith("account.sqlite"))
    places["traces"] = bytes(collector.raw)
    places["REST responses"] = b"\n".join(rest.responses)
    assert len(rest.responses) >= 3
    assert b"tok:" in places["Redis"]
    assert b"cred:" in places["Redis"]
    assert not hunt.find(places, known)
    for secret in (account_id.encode(), seller.seller_id.encode(), seller.client_id.encode()):
        assert secret not in places["Redis"], "key names and values in Redis tell nothing"
    for name, text in places.items():
        assert not name.startswith("account.sqlite") or seller.client_id.encode() not in text


@pytest.mark.parametrize(
    "secret", [b"given", b"Atza|IwEBIabcdefgh", b"Atzr|IwEBIabcdefgh", b"ASIAABCDEFGHIJKLMNOP", b"eyJhbGciOi.eyJzdWIi"]
)
def test_the_search_finds_each_secret(secret: bytes) -> None:
    assert [place for place, _ in hunt.find({"log": b"it says " + secret, "other": b"nothing"}, [b"given"])] == ["log"]


def test_the_search_ignores_sealed_values_only() -> None:
    ring = KeyRing.parse(f"k1 {'A' * 86}")
    head, empty, iv, text, tag = ring.seal("x" * 3000, "place").split(".")
    by_chance = ".".join([head, empty, iv, f"{text}sgr_{'a' * 43}", tag]).encode()
    assert hunt.find({"Redis": by_chance}, []) == []
    for beside in (b"sgr_" + b"a" * 43 + by_chance, by_chance + b"sgr_" + b"a" * 43):
        assert hunt.find({"Redis": beside}, []) == [("Redis", b"sgr_aaaaaaaa")]
