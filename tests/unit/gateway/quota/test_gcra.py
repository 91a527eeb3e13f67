"""GCRA as a pure function, and the buckets of a call."""

import base64

import pytest
from sellergate_amazon.operations import Catalogue
from sellergate_common.crypto.sealing import KeyRing
from sellergate_common.sites import Site, Sites
from sellergate_gateway.model import Account
from sellergate_gateway.quota.buckets import CAUTIOUS_RATE, Buckets
from sellergate_gateway.quota.gcra import Admitted, Gauge, admit
from sellergate_gateway.quota.ports import Bucket, RateSource

BUCKET = Bucket("k", rate=2.0, burst=4)
RING = KeyRing.parse("k1 " + base64.urlsafe_b64encode(b"x" * 64).decode())
CATALOGUE = Catalogue.load()


def waits(gauge: Gauge, bucket: Bucket, now: float, count: int) -> list[float]:
    return [round(admitted([gauge], [bucket], now).wait, 6) for _ in range(count)]


def admitted(gauges: list[Gauge], buckets: list[Bucket], now: float, longest: float = 1e9) -> Admitted:
    found = admit(gauges, buckets, now, longest)
    assert isinstance(found, Admitted), found
    return found


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
    assert [admit([gauge], [BUCKET], 0.0, 0.4) for _ in range(5)] == [0.5] * 5
    assert admitted([gauge], [BUCKET], 0.0, 0.5).wait == pytest.approx(0.5)


def test_one_full_bucket_refuses_for_all_and_takes_from_none() -> None:
    small = Bucket("b", rate=0.1, burst=1)
    gauges = [Gauge(), Gauge()]
    assert admitted(gauges, [BUCKET, small], 0.0, 0.0).wait == 0
    before = gauges[0].tat
    assert admit(gauges, [BUCKET, small], 0.0, 5.0) == pytest.approx(10.0)
    assert gauges[0].tat == before
    assert admitted(gauges, [BUCKET, small], 0.0, 10.0).wait == pytest.approx(10.0)


def test_only_the_newest_slot_is_given_back() -> None:
    gauge = Gauge()
    taken = [admitted([gauge], [BUCKET], 0.0) for _ in range(6)]
    gauge.leave(float(taken[4].taken[0]))
    assert waits(gauge, BUCKET, 0.0, 1) == [1.5], "somebody has been promised what follows it"
    gauge = Gauge()
    taken = [admitted([gauge], [BUCKET], 0.0) for _ in range(6)]
    gauge.leave(float(taken[5].taken[0]))
    assert waits(gauge, BUCKET, 0.0, 1) == [1.0], "the slot of the one who left"
    assert taken[5].wait == 1.0


def test_who_waits_at_the_gate_holds_no_slot_of_the_others() -> None:
    gate = Bucket("g", rate=1.6, burst=3, share=0.8, gate=True)
    gauges, buckets = [Gauge(), Gauge()], [BUCKET, gate]
    assert [admitted(gauges, buckets, 0.0).rest for _ in range(3)] == [()] * 3
    waiting = [admitted(gauges, buckets, 0.0) for _ in range(20)]
    assert {(one.rest, one.buckets) for one in waiting} == {((BUCKET,), (gate,))}
    assert admitted(gauges[:1], [BUCKET], 0.0, 0.0).wait == 0, "for people who wait there is a slot"


@pytest.mark.parametrize(("factor", "next_wait"), [(1000, 0.0015), (0.5, 3.0)])
def test_a_learned_rate_rescales_what_is_owed(factor: float, next_wait: float) -> None:
    gauge = Gauge()
    assert waits(gauge, BUCKET, 0.0, 6)[-1] == 1.0
    gauge.learned = BUCKET.rate * factor
    assert gauge.look(BUCKET, 0.0)[2] == pytest.approx(next_wait)


def test_after_a_429_the_next_call_goes_after_the_time_and_others_behind_it() -> None:
    gauge = Gauge()
    assert gauge.throttled(BUCKET, 100.0, 7.0) == 7.0
    assert gauge.state(BUCKET, 100.0).remaining == 0
    assert waits(gauge, BUCKET, 100.0, 3) == [7.0, 7.5, 8.0]
    again = Gauge()
    again.throttled(BUCKET, 100.0, 7.0)
    assert again.throttled(BUCKET, 100.1, 7.0) == 0.0, "calls of one moment put everybody back once"
    # Those who come while it is closed do not all go when it opens.
    assert waits(again, BUCKET, 106.9, 3) == [0.1, 0.6, 1.1]


def test_a_429_puts_a_queue_back_and_its_time_outlives_a_higher_rate() -> None:
    gauge = Gauge()
    waits(gauge, BUCKET, 100.0, 20)
    before = gauge.look(BUCKET, 100.0)[2]
    gauge.throttled(BUCKET, 100.0, 0.5)
    assert gauge.look(BUCKET, 100.0)[2] == pytest.approx(before + 0.5)
    gauge.learned = 2000.0
    assert gauge.look(BUCKET, 100.0)[2] == pytest.approx(0.5)


@pytest.mark.parametrize(("claimed", "true"), [(10.0, 5.0), (20.0, 5.0), (6.0, 5.0), (1.0, 0.2)])
def test_a_rate_that_is_too_high_is_found_out_by_429s(claimed: float, true: float) -> None:
    """Amazon's bucket is exact; ours believes too much, asks as often as it lets, and is told of nothing but 429s."""
    gauge, bucket, amazon = Gauge(), Bucket("k", claimed, 9), Gauge()
    amazons = Bucket("a", true, 10)
    now, answers = 1000.0, list[tuple[float, bool]]()
    while now < 1000.0 + 600 / true:
        found = admitted([gauge], [bucket], now)
        now += found.wait + 0.001
        refused = not isinstance(admit([amazon], [amazons], now, 0.0), Admitted)
        answers.append((now, refused))
        if refused:
            gauge.throttled(bucket, now, 1 / gauge.rate(bucket, now))
    settled = [refused for at, refused in answers if at > 1000.0 + 60 / true]
    assert sum(refused for _, refused in answers) < 0.06 * len(answers)
    assert sum(settled) < 0.03 * len(settled)
    done = len(settled) - sum(settled)
    assert 0.9 * true < done / (540 / true) < 1.02 * true
    assert gauge.state(bucket, now).source is RateSource.BACKOFF


def test_a_rate_that_was_cut_recovers() -> None:
    gauge = Gauge(cut=1.0, cut_at=100.0)
    assert gauge.rate(BUCKET, 100.0) == 1.0
    assert gauge.rate(BUCKET, 200.0) == pytest.approx(1.15)
    assert gauge.rate(BUCKET, 1000.0) == BUCKET.rate


def test_what_is_left() -> None:
    gauge = Gauge()
    assert (gauge.state(BUCKET, 0.0).remaining, gauge.state(BUCKET, 0.0).reset) == (4, 0)
    waits(gauge, BUCKET, 0.0, 3)
    state = gauge.state(BUCKET, 0.0)
    assert (state.rate, state.remaining, state.reset, state.source) == (2.0, 1, 1.5, RateSource.CATALOGUE)
    gauge.learned = 4.0
    assert gauge.state(BUCKET, 0.0).source is RateSource.HEADER


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
    assert (batch.gate, batch.learns, pair.gate, pair.learns) == (True, True, False, True)


def test_an_application_has_a_bucket_where_amazon_limits_it() -> None:
    made = Buckets(RING, 0.2)
    operation = CATALOGUE.get("listings-items/2021-08-01/patchListingsItem")
    pair, whole, gate = made.of(account(), site(), operation, batch=True)
    assert (pair.rate, whole.rate, gate.rate) == (5.0, 500.0, 4.0)
    assert (whole.learns, whole.gate) == (False, False)
    assert made.of(account(amazon_seller_id="OTHER"), site(), operation, batch=False)[1] == whole
    # With accounts of a thousand invented sellers a user would empty it for all others, and Amazon's would be full.
    assert made.of(account(user_id="v"), site(), operation, batch=False)[1] != whole
    assert len(made.of(account(), site(sandbox=True), operation, batch=False)) == 1


def test_each_pair_region_and_operation_has_its_own() -> None:
    made = Buckets(RING, 0.2)
    first, second = CATALOGUE.get("orders/v0/getOrder"), CATALOGUE.get("orders/v0/getOrders")
    keys = {
        made.of(who, where, what, batch=False)[0].key
        for who in (
            account(),
            account(user_id="v"),
            account(amazon_seller_id="OTHER"),
            account(application_id="other"),
        )
        for where in (site(), site("DE"))
        for what in (first, second, None)
    }
    assert len(keys) == 4 * 2 * 3
    # Two accounts of a user's seller in one region are one selling partner to Amazon.
    assert made.of(account(account_id="a2", marketplace="CA"), site("CA"), first, batch=False) == made.of(
        account(), site(), first, batch=False
    )


def test_only_calls_without_a_sellers_grant_share_a_bucket_of_the_application() -> None:
    made = Buckets(RING, 0.2)
    operation = CATALOGUE.get("notifications/v1/getDestinations")
    (own,), (other,) = (made.of(account(user_id=user), site(), operation, batch=False) for user in ("u", "v"))
    assert own != other, "with a seller's token the operation counts for that seller"
    (grantless,) = made.of(account(user_id="u"), site(), operation, batch=False, grantless=True)
    assert grantless not in (own, other)
    assert made.of(account(user_id="v", amazon_seller_id="B"), site(), operation, batch=False, grantless=True) == (
        grantless,
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
