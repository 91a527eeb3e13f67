"""The times at which a shared value is sufficient, acceptable and due for renewal."""

from dataclasses import dataclass

import pytest
from sellergate_common.cache.entries import is_acceptable, is_sufficient, longest_ttl, renewal_time


@dataclass(frozen=True)
class Value:
    expire_time: float
    life: float


@pytest.mark.parametrize(
    ("left", "life", "least", "enough"),
    [
        (60, 3600, None, True),
        (59, 3600, None, False),
        (2, 20, None, True),
        (1.9, 20, None, False),
        (100, 3600, 100, True),
        (99, 3600, 100, False),
        (3569, 3600, 3570, False),
        (10, 20, 19, True),  # a new value would soon be no better
        (0, 20, 19, False),
        (1, 3600, 0, True),
    ],
)
def test_a_value_is_sufficient(left: float, life: float, least: float | None, enough: bool) -> None:
    assert is_sufficient(Value(1000 + left, life), least, 1000) is enough


def test_the_longest_ttl_leaves_time_for_the_transfer_of_a_value() -> None:
    assert longest_ttl(3600) == 3570
    assert longest_ttl(20) == 18


def test_renewal_falls_between_80_and_85_percent() -> None:
    value = Value(1000 + 3600, 3600)
    assert renewal_time(value, 0) == 1000 + 0.80 * 3600
    assert renewal_time(value, 1) == 1000 + 0.85 * 3600


def test_the_last_seconds_are_acceptable_and_the_very_last_are_not() -> None:
    assert is_acceptable(Value(1006, 3600), 1000)
    assert not is_acceptable(Value(1005, 3600), 1000)
