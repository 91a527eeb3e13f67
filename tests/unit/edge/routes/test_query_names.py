"""An unknown query parameter is refused with the name of the nearest known one."""

import pytest
from sellergate_common.errors import InvalidRequest
from sellergate_edge.routes.query_names import MAX_SHOWN, check_query_names

KNOWN = frozenset({"state", "marketplace", "externalRef", "pageSize", "pageToken"})


@pytest.mark.parametrize(
    ("given", "nearest"),
    [
        ("State", "state"),
        ("status", "state"),
        ("page_size", "pageSize"),
        ("external-ref", "externalRef"),
        ("externalReference", "externalRef"),
        ("marketplaceId", "marketplace"),
    ],
)
def test_the_nearest_name_is_proposed(given: str, nearest: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        check_query_names(["state", given], KNOWN)
    (violation,) = caught.value.violations
    assert violation.field == given
    assert f"; use {nearest}, or leave it out" in violation.description


def test_a_name_like_none_gets_all_of_them() -> None:
    with pytest.raises(InvalidRequest, match="use one of externalRef, marketplace, pageSize, pageToken, state"):
        check_query_names(["zzz"], KNOWN)
    with pytest.raises(InvalidRequest, match="takes none"):
        check_query_names(["zzz"], frozenset())


def test_many_and_long_names_are_bounded() -> None:
    with pytest.raises(InvalidRequest) as caught:
        check_query_names([f"{number}{'x' * 100_000}" for number in range(100)], KNOWN)
    assert len(caught.value.violations) == MAX_SHOWN
    assert len(caught.value.message) < 10_000


def test_known_names_may_be_repeated() -> None:
    check_query_names(["state", "state", "pageSize"], KNOWN)
    check_query_names([], frozenset())
