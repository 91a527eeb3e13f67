"""The age of a report, by Amazon's clock."""

import json

import pytest
from sellergate_gateway.reports.run import _age
from sellergate_gateway.spapi.http import AmazonResponse

NOW = "Thu, 26 Nov 2026 10:00:00 GMT"


def age(date: str, created: object) -> float | None:
    return _age(AmazonResponse(200, (("Date", date),), json.dumps({"createdTime": created}).encode()))


def test_the_age_is_the_time_since_the_creation() -> None:
    assert age(NOW, "2026-11-26T09:59:00+00:00") == 60.0


@pytest.mark.parametrize(
    ("date", "created"),
    [
        ("", "2026-11-26T09:59:00Z"),
        ("--jan 1 2:2 x", "2026-11-26T09:59:00Z"),
        (NOW, None),
        (NOW, "2026-11-26T09:59:00"),
    ],
)
def test_the_age_is_unknown_where_a_time_is_unreadable(date: str, created: object) -> None:
    assert age(date, created) is None
