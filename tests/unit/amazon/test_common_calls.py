"""The common operations and the searches for orders use Amazon's operations and parameters."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sellergate_amazon.common_calls import COMMON_OPERATIONS, ORDER_SEARCHES, OrderSearch
from sellergate_amazon.operations import Catalogue

CATALOGUE = Catalogue.load()
SINCE = datetime(2026, 11, 20, 8, 30, tzinfo=UTC)
NEWER, OLDER = ORDER_SEARCHES


def test_each_common_operation_is_in_the_catalogue() -> None:
    assert all(CATALOGUE.get(name) for name in COMMON_OPERATIONS)


@pytest.mark.parametrize("search", ORDER_SEARCHES)
def test_a_search_uses_parameters_of_its_operation(search: OrderSearch) -> None:
    found = CATALOGUE.match("GET", search.path)
    assert found is not None
    assert found.operation.parameters is not None
    names = {parameter.partition(":")[2].rstrip("!") for parameter in found.operation.parameters}
    query = search.query(SINCE, "ATVPDKIKX0DER")
    assert set(query) <= names
    assert set(query.values()) == {"2026-11-20T08:30:00Z", "ATVPDKIKX0DER"}


def test_the_newest_version_is_first() -> None:
    operations = [CATALOGUE.match("GET", search.path) for search in ORDER_SEARCHES]
    assert [found.operation.removal_date is None for found in operations if found] == [True, False]


@pytest.mark.parametrize(
    ("search", "document"), [(NEWER, {"orders": [{"a": 1}]}), (OLDER, {"payload": {"Orders": [{"a": 1}]}})]
)
def test_orders_are_found_in_a_response(search: OrderSearch, document: Any) -> None:
    assert search.orders_in(document) == [{"a": 1}]


@pytest.mark.parametrize(
    ("search", "document"),
    [
        *[(search, document) for search in ORDER_SEARCHES for document in (None, [], "x", 7)],
        (NEWER, {}),
        (NEWER, {"orders": None}),
        (NEWER, {"orders": [{}, 7]}),
        (OLDER, {"payload": 7}),
        (OLDER, {"payload": {}}),
        (OLDER, {"payload": {"Orders": {}}}),
        (OLDER, {"orders": []}),
    ],
)
def test_a_response_of_another_shape_is_refused(search: OrderSearch, document: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        search.orders_in(document)
