"""GCRA as a pure function, and the buckets of a call."""

import base64

import pytest
from sellergate_amazon.operations import Catalogue
from sellergate_common.sealing import KeyRing
from sellergate_common.sites import Site, Sites
from sellergate_gateway.ports import Account, Bucket
from sellergate_gateway.quota import CAUTIOUS_RATE, Buckets, Gauge, admit

BUCKET = Bucket("k", rate=2.0, burst=4)
RING = KeyRing.parse("k1 " + base64.urlsafe_b64encode(b"x" * 64).decode())
CATALOGUE = Catalogue.load()


def waits(gauge: Gauge, bucket: Bucket, now: float, count: int) -> list[float]:
    found = [admit([gauge], [bucket], now, 1e9) for _ in range(count)]
    return [round(wait, 6) for wait in found if wait is not None]


def test_a_full_bucket_gives_its_burst_at_once_and_then_its_rate() -> None:
    assert waits(Gauge(), BUCKET, 100.0, 6) == [0, 0, 0, 0, 0.5, 1.0]


def test_it_fills_again_and_never_above_the_burst() -> None:
    gauge = Gauge()
    assert waits(gauge, BUCKET, 100.0, 4) == [0] * 4
    assert waits(gauge, BUCKET, 101.0, 3) == [0, 0, 0.5]
    assert waits(gauge, BUCKET, 1000.0, 5) == [0, 0, 0, 0, 0.5]


def test_a_refusal_takes_nothing() -> None:
    gauge = Gauge()
    waits(gauge, BUCKET, 0.0, 4)
    assert [admit([gauge], [BUCKET], 0.0, 0.4) for _ in range(5)] == [None] * 5
    assert admit([gauge], [BUCKET], 0.0, 0.5) == pytest.approx(0.5)


def test_one_full_bucket_refuses_for_all_and_takes_from_none() -> None:
    small = Bucket("b", rate=0.1, burst=1)
    gauges = [Gauge(), Gauge()]
    assert admit(gauges, [BUCKET, small], 0.0, 0.0) == 0
    before = gauges[0].tat
    assert admit(gauges, [BUCKET, small], 0.0, 5.0) is None
    assert gauges[0].tat == before
    assert admit(gauges, [BUCKET, small], 0.0, 10.0) == pytest.approx(10.0)


@pytest.mark.parametrize(("factor", "next_wait"), [(1000, 0.0015), (0.5, 3.0)])
def test_a_learned_rate_rescales_what_is_owed(factor: float, next_wait: float) -> None:
    gauge = Gauge()
    assert waits(gauge, BUCKET, 0.0, 6)[-1] == 1.0
    gauge.learned = BUCKET.rate * factor
    assert gauge.wait(BUCKET, 0.0) == pytest.approx(next_wait)


def test_drained_it_gives_the_next_call_after_the_time_and_others_behind_it() -> None:
    gauge = Gauge()
    gauge.drain(BUCKET, 0.0, 7.0)
    assert gauge.state(BUCKET, 0.0).remaining == 0
    assert waits(gauge, BUCKET, 0.0, 3) == [7.0, 7.5, 8.0]
    again = Gauge()
    again.drain(BUCKET, 0.0, 7.0)
    # Those who come while it is closed do not all go when it opens.
    assert waits(again, BUCKET, 6.9, 3) == [0.1, 0.6, 1.1]


def test_a_drain_never_shortens_a_queue_and_outlives_a_higher_rate() -> None:
    gauge = Gauge()
    waits(gauge, BUCKET, 0.0, 20)
    before = gauge.wait(BUCKET, 0.0)
    gauge.drain(BUCKET, 0.0, 0.5)
    assert gauge.wait(BUCKET, 0.0) == pytest.approx(before)
    gauge.learned = 2000.0
    assert gauge.wait(BUCKET, 0.0) == pytest.approx(0.5)


def test_what_is_left() -> None:
    gauge = Gauge()
    assert (gauge.state(BUCKET, 0.0).remaining, gauge.state(BUCKET, 0.0).reset) == (4, 0)
    waits(gauge, BUCKET, 0.0, 3)
    state = gauge.state(BUCKET, 0.0)
    assert (state.rate, state.remaining, state.reset, state.learned) == (2.0, 1, 1.5, False)
    gauge.learned = 4.0
    assert gauge.state(BUCKET, 0.0).learned


def account(**changes: str) -> Account:
    plain = {
        "account_id": "a1",
        "user_id": "u",
        "application_id": "app",
        "amazon_seller_id": "SELLER",
        "marketplace": "US",
        "region": "us-east-1",
        "iam_role_arn": "",
        "signing": "AUTO",
        "state": "ACTIVE",
    }
    return Account(**{**plain, **changes}, sandbox=False, revision=1)  # type: ignore[arg-type]


def site(marketplace: str = "US", *, sandbox: bool = False) -> Site:
    urls = {"NA": "https://na", "EU": "https://eu", "FE": "https://fe"}
    return Sites(urls, urls).of(marketplace, sandbox=sandbox)


def test_buckets_are_planned_below_amazons() -> None:
    made = Buckets(RING, 0.2)
    operation = CATALOGUE.get("orders/v0/getOrder")
    assert operation is not None
    assert (operation.rate, operation.burst) == (0.5, 30)
    (pair,) = made.of(account(), site(), operation, batch=False)
    assert (pair.rate, pair.burst) == (0.5, 29)
    whole, batch = made.of(account(), site(), operation, batch=True)
    assert whole == pair
    assert (batch.rate, batch.burst, batch.share) == (pytest.approx(0.4), 23, 0.8)
    assert batch.key == pair.key + ":batch"


def test_each_pair_region_and_operation_has_its_own() -> None:
    made = Buckets(RING, 0.2)
    first, second = CATALOGUE.get("orders/v0/getOrder"), CATALOGUE.get("orders/v0/getOrders")
    keys = {
        made.of(who, where, what, batch=False)[0].key
        for who in (account(), account(amazon_seller_id="OTHER"), account(application_id="other"))
        for where in (site(), site("DE"))
        for what in (first, second, None)
    }
    assert len(keys) == 3 * 2 * 3
    # Two accounts of one seller in one region are one selling partner to Amazon.
    assert made.of(account(account_id="a2", user_id="v", marketplace="CA"), site("CA"), first, batch=False) == made.of(
        account(), site(), first, batch=False
    )


def test_the_sandbox_and_unknown_paths_have_one_bucket_each() -> None:
    made = Buckets(RING, 0.2)
    first, second = CATALOGUE.get("orders/v0/getOrder"), CATALOGUE.get("orders/v0/getOrders")
    sandbox = {made.of(account(), site(sandbox=True), what, batch=False)[0] for what in (first, second, None)}
    assert [(bucket.rate, bucket.burst) for bucket in sandbox] == [(5.0, 14)]
    (unknown,) = made.of(account(), site(), None, batch=False)
    assert (unknown.rate, unknown.burst) == (CAUTIOUS_RATE, 1)


def test_names_tell_nothing_and_share_a_slot() -> None:
    made = Buckets(RING, 0.2)
    keys = [bucket.key for bucket in made.of(account(), site(), None, batch=True)]
    assert not any(word in key for key in keys for word in ("SELLER", "app}", "a1"))
    assert len({key[key.index("{") : key.index("}")] for key in keys}) == 1
