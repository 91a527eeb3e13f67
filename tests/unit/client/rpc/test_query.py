"""The conversion of values into query parameters."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from typing import Any

import pytest
from sellergate_client.rpc.query import query_pairs
from sellergate_common.errors import InvalidRequest


class Plain(Enum):
    SHIPPED = "Shipped"


class Number(IntEnum):
    TWO = 2


class Text(StrEnum):
    A = "a"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a,b", "a,b"),
        (True, "true"),
        (False, "false"),
        (10**20, "1" + "0" * 20),
        (0.1, "0.1"),
        (1e22, "10000000000000000000000"),
        (Decimal("12.10"), "12.10"),
        (datetime(2026, 11, 16, 8, tzinfo=UTC), "2026-11-16T08:00:00Z"),
        (datetime(2026, 11, 16, 8, 0, 0, 500, timezone(timedelta(hours=2))), "2026-11-16T06:00:00.000500Z"),
        (date(2026, 11, 16), "2026-11-16"),
        (Plain.SHIPPED, "Shipped"),
        (Number.TWO, "2"),
        (Text.A, "a"),
        ([True, Plain.SHIPPED, 3], "true,Shipped,3"),
        (("x",), "x"),
    ],
)
def test_a_value_has_one_text(value: Any, text: str) -> None:
    assert query_pairs({"name": value}) == [("name", text)]


@pytest.mark.parametrize("query", [{"a": None, "b": "1"}, [("a", None), ("b", "1")]])
def test_none_leaves_a_parameter_out(query: Any) -> None:
    assert query_pairs(query) == [("b", "1")]


@pytest.mark.parametrize(
    ("value", "field", "advice"),
    [
        ({"a", "b"}, "query.name", "give a list"),
        (frozenset("a"), "query.name", "give a list"),
        ([], "query.name", "leave the parameter out"),
        (["a", "SKU,1"], "query.name[1]", "raw_query"),
        ([None], "query.name[0]", "NoneType"),
        ([["a"]], "query.name[0]", "list"),
        ({"a": 1}, "query.name", "dict"),
        (b"a", "query.name", "bytes"),
        (float("nan"), "query.name", "finite"),
        (Decimal("Infinity"), "query.name", "finite"),
        (datetime(2026, 11, 16), "query.name", "time zone"),  # noqa: DTZ001
        (object(), "query.name", "object"),
    ],
)
def test_other_values_are_refused_by_the_name_of_the_parameter(value: Any, field: str, advice: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        query_pairs({"name": value})
    assert caught.value.violations[0].field == field
    assert advice in caught.value.message


@pytest.mark.parametrize("query", ["a=b", b"a=b", 7, [("a",)], {1: "a"}, {"": "a"}])
def test_other_queries_are_refused(query: Any) -> None:
    with pytest.raises(InvalidRequest) as caught:
        query_pairs(query)
    assert caught.value.violations[0].field == "query"
