"""Expiries in the simulator after minutes and hours, on a clock that the test controls."""

from collections.abc import Mapping
from random import Random
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy
from sellergate_amazon.operations import Catalogue
from sellergate_simulator.clock import Clock, iso, parse_iso
from sellergate_simulator.control.counters import Counters
from sellergate_simulator.control.faults import Fault, Faults
from sellergate_simulator.http.responses import AmazonError
from sellergate_simulator.identity.lwa import TokenEndpoint
from sellergate_simulator.identity.tokens import AccessToken, AccessTokens, RestrictedResource
from sellergate_simulator.operations.documents import Document, Documents
from sellergate_simulator.operations.jobs import Job
from sellergate_simulator.operations.orders_2026 import Orders2026
from sellergate_simulator.settings import Settings
from sellergate_simulator.shops.order_book import OrderBook
from sellergate_simulator.spapi.buckets import Buckets, Limit
from sellergate_simulator.spapi.calls import Call, Query
from sellergate_simulator.state import Application, AuthorizationCode, ClientSecret, Seller, World

START = 1_800_000_000.0
US = "ATVPDKIKX0DER"


class Hands:
    """A clock that the test advances."""

    def __init__(self) -> None:
        self.now = START

    def clock(self) -> Clock:
        return Clock(wall=lambda: self.now, steady=lambda: self.now)


def exchange(world: World, clock: Clock, fields: Mapping[str, str]) -> int:
    endpoint = TokenEndpoint(world, AccessTokens(), Counters(), clock)
    return endpoint.exchange("application/x-www-form-urlencoded", urlencode(fields).encode()).status


@pytest.mark.parametrize(("age", "status"), [(299.0, 200), (300.0, 400)])
def test_an_authorization_code_lives_five_minutes(age: float, status: int) -> None:
    hands, world = Hands(), World()
    world.applications["c"] = Application("a", "c", [ClientSecret("s")])
    world.codes["code"] = AuthorizationCode("c", "SELLER", START + 300)
    hands.now += age
    fields = {"grant_type": "authorization_code", "client_id": "c", "client_secret": "s", "code": "code"}
    assert exchange(world, hands.clock(), fields) == status


@pytest.mark.parametrize(("age", "status"), [(300.0, 200), (302.0, 403)])
async def test_a_document_url_lives_five_minutes(age: float, status: int) -> None:
    hands = Hands()
    documents = Documents(hands.clock(), lambda: 1, Faults(Random(1)))
    url = documents.download_url(documents.add(Document("text/plain", b"x")), "host", content_encoding=False)
    hands.now += age
    path, _, query = url.removeprefix("http://host:1").partition("?")
    response = await documents.handle(make_mocked_request("GET", f"{path}?{query}"), path, query)
    assert response.status == status


def call(clock: Clock, query: str) -> Call:
    operation = Catalogue.load().get("searchOrders")
    assert operation is not None
    seller = Seller("SELLER", (US,))
    token = AccessToken("c", "a", "SELLER", None, START + 9)
    headers: CIMultiDictProxy[str] = CIMultiDictProxy(CIMultiDict())
    return Call(
        operation, {}, None, token, None, seller, None, operation.path, Query(query), headers, b"", "host", clock.wall()
    )


def test_a_page_token_of_orders_lives_a_day_and_keeps_its_end() -> None:
    import json

    hands = Hands()
    clock = hands.clock()
    search = Orders2026(OrderBook(START)).handlers()["orders/2026-01-01/searchOrders"]
    after = urlencode({"createdAfter": iso(START - 20 * 86_400), "maxResultsPerPage": "20"})
    first: dict[str, Any] = json.loads(search(call(clock, after)).body)
    following = f"{after}&{urlencode({'paginationToken': first['pagination']['nextToken']})}"
    hands.now += 86_400
    second = json.loads(search(call(clock, following)).body)
    assert second["createdBefore"] == first["createdBefore"]
    assert len(first["orders"]) + len(second["orders"]) == 30
    hands.now += 1
    with pytest.raises(AmazonError) as refused:
        search(call(clock, following))
    assert b"expired" in refused.value.response.body


def test_expired_tokens_are_known_for_an_hour_and_then_forgotten() -> None:
    tokens = AccessTokens()
    text = tokens.issue(AccessToken("c", "a", "S", None, START + 60), START)
    tokens.issue(AccessToken("c", "a", "S", None, START + 60), START + 3000)
    assert tokens.find(text) is not None
    tokens.issue(AccessToken("c", "a", "S", None, START + 60), START + 60 + 3601)
    assert tokens.find(text) is None


def test_a_bucket_gives_a_call_each_1_over_rate_and_never_more() -> None:
    buckets, limit = Buckets(), Limit(rate=0.0056, burst=20)
    assert sum(buckets.take(("k",), limit, START) for _ in range(50)) == 20
    step = 1 / 0.0056
    for turn in range(1, 200):
        assert not buckets.take(("k",), limit, START + turn * step - 0.01)
        assert buckets.take(("k",), limit, START + turn * step)


@given(st.lists(st.floats(0, 10), max_size=60), st.floats(0.1, 50), st.integers(1, 20))
def test_no_pattern_of_calls_gets_more_than_burst_and_rate(gaps: list[float], rate: float, burst: int) -> None:
    buckets, now, given_calls = Buckets(), START, 0
    for gap in gaps:
        now += gap
        given_calls += buckets.take(("k",), Limit(rate, burst), now)
    assert given_calls <= burst + (now - START) * rate + 0.01
    assert not gaps or given_calls >= 1


def test_the_states_of_a_job() -> None:
    job = Job("1", "T", (US,), START, 2.0)
    assert [job.status(START + t) for t in (0, 1.9, 2, 3.9, 4)] == [
        "IN_QUEUE",
        "IN_QUEUE",
        "IN_PROGRESS",
        "IN_PROGRESS",
        "DONE",
    ]


def test_the_oldest_fault_that_fits_is_given_first() -> None:
    faults = Faults(Random(1))
    for fault_id, (kind, operation) in enumerate([("reset", "other"), ("slow", None), ("429", "mine")]):
        faults.add(Fault(fault_id, kind, operation, 1, 1.0, 0.0, None, executed=False))
    kinds = ("reset", "slow", "429")
    assert [f.kind if (f := faults.take(kinds, "mine")) else None for _ in range(3)] == ["slow", "429", None]


@pytest.mark.parametrize(
    ("path", "covered"),
    [
        ("/orders/v0/orders/1/address", True),
        ("/orders/v0/orders//address", False),
        ("/orders/v0/orders/1/2/address", False),
        ("/orders/v0/orders/1/buyerInfo", False),
        ("/orders/v0/orders/1/address/", False),
    ],
)
def test_the_paths_that_a_template_covers(path: str, covered: bool) -> None:
    resource = RestrictedResource("GET", "/orders/v0/orders/{orderId}/address", frozenset())
    assert resource.covers("GET", path) is covered
    assert not resource.covers("PUT", path)


@pytest.mark.parametrize("text", ["", "x", "2026-13-01", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_texts_that_are_no_time_are_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  (the message is Python's own)
        parse_iso(text)


def test_times_with_and_without_offset() -> None:
    assert (
        parse_iso("2027-01-15T08:00:00Z") == parse_iso("2027-01-15T09:00:00+01:00") == parse_iso("2027-01-15T08:00:00")
    )
    assert iso(parse_iso("2027-01-15")) == "2027-01-15T00:00:00Z"


def test_ports_follow_the_first_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().ports() == {"main": 3900, "na": 3901, "eu": 3902, "fe": 3903, "sandbox": 3904}
    monkeypatch.setenv("SELLERGATE_SIMULATOR_PORT", "5000")
    monkeypatch.setenv("SELLERGATE_SIMULATOR_EU_PORT", "6000")
    assert Settings().ports() == {"main": 5000, "na": 5001, "eu": 6000, "fe": 5003, "sandbox": 5004}
    monkeypatch.setenv("SELLERGATE_SIMULATOR_PORT", "0")
    assert Settings().ports() == {"main": 0, "na": 0, "eu": 6000, "fe": 0, "sandbox": 0}


def test_a_url_names_its_query_parts() -> None:
    documents = Documents(Hands().clock(), lambda: 7, Faults(Random(1)))
    url = documents.upload_url("id", "simulator")
    assert url.startswith("http://simulator:7/documents/id?")
    assert dict(parse_qsl(url.partition("?")[2]))["X-Amz-Expires"] == "300"
