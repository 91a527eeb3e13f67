"""GCRA as pure functions."""

import pytest
from sellergate_common.errors import QuotaExceeded
from sellergate_gateway.quota.gcra import GUARD_SECONDS, RECOVERY_SECONDS, GcraState, reserve
from sellergate_gateway.quota.memory import MemoryBuckets
from sellergate_gateway.quota.ports import Bucket, BucketSet, RateSource, Reservation

BUCKET = Bucket("k", rate=2.0, burst=4)
STORE = MemoryBuckets(1.0, lambda: 0.0)
G = GUARD_SECONDS


def reserved(states: dict[str, GcraState], buckets: BucketSet, now: float, longest: float = 1e9) -> Reservation:
    return reserve(STORE, states, buckets, now, longest)


def waits(state: GcraState, bucket: Bucket, now: float, count: int) -> list[float]:
    states, buckets = {bucket.key: state}, BucketSet(bucket)
    return [round(reserved(states, buckets, now).wait, 6) for _ in range(count)]


def test_a_full_bucket_admits_its_burst_and_then_its_rate() -> None:
    assert waits(GcraState(), BUCKET, 100.0, 6) == [0, 0, 0, 0, 0.5 + G, 1.0 + G]


def test_a_bucket_refills_up_to_its_burst() -> None:
    state = GcraState()
    assert waits(state, BUCKET, 100.0, 4) == [0] * 4
    assert waits(state, BUCKET, 101.0, 3) == [0, 0, 0.5 + G]
    assert waits(state, BUCKET, 1000.0, 5) == [0, 0, 0, 0, 0.5 + G]


def test_at_a_burst_of_one_calls_keep_their_distance() -> None:
    single = Bucket("k", rate=1.0, burst=1)
    assert waits(GcraState(), single, 100.0, 3) == [0, 1.02, 2.04]
    # A caller that is not faster than the rate does not wait.
    state = GcraState()
    assert [waits(state, single, 100.0 + 1.02 * number, 1) for number in range(20)] == [[0]] * 20


def test_a_refusal_reserves_nothing() -> None:
    state = GcraState()
    waits(state, BUCKET, 0.0, 4)
    for _ in range(5):
        with pytest.raises(QuotaExceeded) as caught:
            reserved({"k": state}, BucketSet(BUCKET), 0.0, 0.4)
        assert caught.value.retry_after == 0.5 + G
    assert reserved({"k": state}, BucketSet(BUCKET), 0.0, 0.5 + G).wait == pytest.approx(0.5 + G)


def test_one_empty_bucket_refuses_without_a_reservation_in_any() -> None:
    small = Bucket("b", rate=0.1, burst=1)
    states, buckets = {"k": GcraState(), "b": GcraState()}, BucketSet(BUCKET, (small,))
    assert reserved(states, buckets, 0.0, 0.0).wait == 0
    before = states["k"].tat
    with pytest.raises(QuotaExceeded):
        reserved(states, buckets, 0.0, 5.0)
    assert states["k"].tat == before
    assert reserved(states, buckets, 0.0, 10.1).wait == pytest.approx(10.0, abs=0.1)


def test_a_cancelled_slot_serves_the_next_caller() -> None:
    state = GcraState()
    waits(state, BUCKET, 0.0, 6)
    assert state.cancel(1) == 0.5
    assert waits(state, BUCKET, 0.0, 1) == [1.0 + G]


def test_a_late_call_delays_the_next_one() -> None:
    single = Bucket("k", rate=1.0, burst=1)
    state = GcraState()
    waits(state, single, 0.0, 1)
    state.delay(0.3, 0.3)
    assert waits(state, single, 0.3, 1) == [1.02]
    # For a call that is later than its whole interval, the distance from now counts.
    state = GcraState()
    waits(state, single, 0.0, 1)
    state.delay(7.0, 7.0)
    assert waits(state, single, 7.0, 1) == [pytest.approx(1.02)]


def test_a_caller_at_the_first_stage_holds_no_other_slot() -> None:
    stage = Bucket("g", rate=1.6, burst=3, share=0.8)
    states, buckets = {"k": GcraState(), "g": GcraState()}, BucketSet(BUCKET, (), stage)
    assert [reserved(states, buckets, 0.0).remaining for _ in range(3)] == [None] * 3
    waiting = [reserved(states, buckets, 0.0) for _ in range(20)]
    assert {tuple(slot.bucket for slot in one.slots) for one in waiting} == {(stage,)}
    assert {one.remaining.all for one in waiting if one.remaining} == {(BUCKET,)}
    assert reserved(states, BucketSet(BUCKET), 0.0, 0.0).wait == 0, "an interactive call finds a slot"


@pytest.mark.parametrize(("factor", "next_wait"), [(1000, 0.0015), (0.5, 3.0)])
def test_a_reported_rate_rescales_the_debt(factor: float, next_wait: float) -> None:
    state = GcraState()
    assert waits(state, BUCKET, 0.0, 6)[-1] == 1.0 + G
    state.update_rate(BUCKET, 0.0, BUCKET.rate * factor)
    assert state.peek(BUCKET, 0.0)[2] == pytest.approx(next_wait, abs=G + 0.001)


def test_after_a_429_the_next_call_waits_and_others_follow() -> None:
    state = GcraState()
    waits(state, BUCKET, 99.0, 4)
    state.issued += 1
    assert state.on_throttled(BUCKET, 100.0, 7.0) == 7.0
    assert state.state(BUCKET, 100.0).remaining == 0
    first, *others = waits(state, BUCKET, 100.0, 3)
    assert 7.0 <= first <= 7.5
    assert others == [pytest.approx(first + 0.5, abs=0.3), pytest.approx(first + 1.0, abs=0.3)]


def test_429s_of_one_moment_delay_callers_once() -> None:
    state = GcraState()
    waits(state, BUCKET, 99.0, 8)
    assert [state.on_throttled(BUCKET, 100.0 + number / 100, 7.0) for number in range(3)] == [7.0, 0.0, 0.0]


def test_successive_429s_double_the_pause_up_to_a_bound() -> None:
    state, now, pauses = GcraState(), 100.0, list[float]()
    for _ in range(7):
        waits(state, BUCKET, now, 1)
        pauses.append(state.on_throttled(BUCKET, now, 0.5))
        now = state.blocked_until + 0.01
    assert pauses[-4:] == [4.0, 8.0, 8.0, 8.0]
    assert state.rate(BUCKET, now) == BUCKET.rate, "where nothing passes, nothing is known of the rate"


def test_a_429_doubles_the_guard() -> None:
    single = Bucket("k", rate=1.0, burst=1)
    state = GcraState()
    waits(state, single, 0.0, 1)
    state.on_throttled(single, 1.0, 1.0)
    assert state.guard_of(single, 1.0) == pytest.approx(0.04)


def test_a_cut_rate_recovers_within_a_minute() -> None:
    state = GcraState(cut=1.0, cut_at=100.0)
    assert state.rate(BUCKET, 100.0) == 1.0
    assert state.rate(BUCKET, 100.0 + RECOVERY_SECONDS / 2) == pytest.approx(1.5)
    assert state.rate(BUCKET, 160.0) == BUCKET.rate


def test_a_reported_rate_shortens_a_long_recovery() -> None:
    state = GcraState(cut=1.0, cut_at=100.0, recovery=1280.0)
    assert state.rate(BUCKET, 200.0) < 1.1
    state.update_rate(BUCKET, 200.0, 2.0)
    assert state.rate(BUCKET, 200.0) < 1.1
    assert state.rate(BUCKET, 200.0 + RECOVERY_SECONDS) == pytest.approx(2.0)


def test_the_state_of_a_bucket() -> None:
    state = GcraState()
    assert (state.state(BUCKET, 0.0).remaining, state.state(BUCKET, 0.0).reset) == (4, 0)
    waits(state, BUCKET, 0.0, 3)
    found = state.state(BUCKET, 0.0)
    assert (found.rate, found.remaining, found.reset, found.source) == (2.0, 1, 1.5, RateSource.CATALOGUE)
    state.update_rate(BUCKET, 0.0, 4.0)
    assert state.state(BUCKET, 0.0).source is RateSource.HEADER
