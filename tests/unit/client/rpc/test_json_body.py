"""Documents that JSON cannot hold."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum, StrEnum
from typing import Any

import pytest
from sellergate_client.rpc.json_body import encode_json
from sellergate_common.errors import InvalidRequest


class Text(StrEnum):
    A = "a"


class Plain(Enum):
    A = "a"


def test_a_document_is_encoded() -> None:
    document = {"a": [1, 1.5, True, None, "ü", Text.A, ("x",)], "b": {}}
    assert json.loads(encode_json(document)) == {"a": [1, 1.5, True, None, "ü", "a", ["x"]], "b": {}}


@pytest.mark.parametrize(
    ("value", "advice"),
    [
        (float("nan"), "finite"),
        (float("-inf"), "finite"),
        (Decimal("1.10"), "float("),
        (datetime(2026, 1, 1, tzinfo=UTC), "isoformat()"),
        (date(2026, 1, 1), "isoformat()"),
        (Plain.A, "its value"),
        ({1}, "a list"),
        (b"x", "a text"),
        (object(), "a value that JSON can hold"),
    ],
)
def test_a_value_that_json_has_not_is_refused_by_its_field(value: Any, advice: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        encode_json({"items": [{"price": 1}, {"price": value}]})
    assert caught.value.violations[0].field == "json.items[1].price"
    assert advice in caught.value.message


def test_a_name_that_is_no_text_and_a_document_that_holds_itself_are_refused() -> None:
    with pytest.raises(InvalidRequest, match=r"json\.a: must have names"):
        encode_json({"a": {1: "x"}})
    itself: list[Any] = []
    itself.append(itself)
    with pytest.raises(InvalidRequest, match="hold itself"):
        encode_json(itself)
