"""Times in messages have the documented precision, and the error for a time outside the calendar names its field."""

from datetime import UTC, datetime

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from sellergate.account.v1.account_pb2 import Account
from sellergate_common.errors import InvalidRequest
from sellergate_common.rpc.timestamps import from_datetime, read_time, to_duration, to_timestamp

MOMENT = datetime(2026, 3, 4, 5, 6, 7, 89_000, tzinfo=UTC)


@pytest.mark.parametrize("seconds", [0.0, 1.5, 1_800_000_000.25, 1_800_000_000.999])
def test_a_time_is_truncated_to_the_millisecond(seconds: float) -> None:
    expected = Timestamp()
    expected.FromMilliseconds(int(seconds * 1000))
    assert to_timestamp(seconds) == expected


def test_a_time_is_never_later_than_it_was() -> None:
    assert to_timestamp(1.0019).ToMilliseconds() == 1001


@pytest.mark.parametrize(
    ("seconds", "nanos"), [(0.0, 0), (2.3, 2_300_000_000), (0.000_001, 1000), (3600.0, 3_600_000_000_000)]
)
def test_a_duration_is_exact_to_the_nanosecond(seconds: float, nanos: int) -> None:
    assert to_duration(seconds).ToNanoseconds() == nanos


def test_a_negative_duration_becomes_zero() -> None:
    assert to_duration(-0.5).ToNanoseconds() == 0


def test_a_time_is_read_back_unchanged() -> None:
    message = Account(create_time=from_datetime(MOMENT))
    assert read_time(message, "create_time") == MOMENT


def test_an_absent_time_is_none() -> None:
    assert from_datetime(None) is None
    assert read_time(Account(), "create_time") is None


def test_a_time_outside_of_the_calendar_names_its_field() -> None:
    message = Account(create_time=Timestamp(seconds=10**15))
    with pytest.raises(InvalidRequest) as refused:
        read_time(message, "create_time", "account.")
    assert refused.value.violations[0].field == "account.create_time"


def test_a_time_whose_offset_moves_it_out_of_the_calendar_is_refused_by_its_field() -> None:
    for time in ("9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+12:00"):
        with pytest.raises(InvalidRequest, match=r"until.*must be a time between the years 1 and 9999"):
            from_datetime(datetime.fromisoformat(time), "until")
