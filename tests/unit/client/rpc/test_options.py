"""Names and types of options, checked before anything is sent."""

from typing import Any

import pytest
from sellergate_client.rpc.options import (
    PartnerCallOptions,
    WriteOptions,
    check_names,
    check_types,
    header_pairs,
)

METHOD_NAMES = frozenset(WriteOptions.__annotations__) | {"params", "json"}
PARTNER_NAMES = frozenset(PartnerCallOptions.__annotations__)


@pytest.mark.parametrize(
    ("name", "allowed", "hint"),
    [
        ("max_wiat", METHOD_NAMES, "did you mean max_wait?"),
        ("timeout", METHOD_NAMES, "did you mean seconds?"),
        ("query", METHOD_NAMES, "did you mean params?"),
        ("params", PARTNER_NAMES, "did you mean query?"),
        ("data", PARTNER_NAMES, "did you mean body?"),
        ("zzz", PARTNER_NAMES, "it takes as_is, batch"),
    ],
)
def test_an_unknown_option_is_refused_with_the_nearest_name(name: str, allowed: frozenset[str], hint: str) -> None:
    with pytest.raises(TypeError, match=rf"get\(\) has no option {name}; ") as caught:
        check_names("get", {name: 1}, allowed)
    assert hint in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("headers", "a: b"),
        ("data_elements", "buyerInfo"),
        ("data_elements", [1]),
        ("as_is", "no"),
        ("max_wait", "5"),
        ("max_wait", -1),
        ("max_wait", float("nan")),
        ("max_wait", True),
        ("batch", 1),
        ("sandbox", "yes"),
        ("restricted_resources", [("GET", "/x")]),
        ("restricted_resources", [("GET", "/x", "buyerInfo")]),
        ("token_kind", None),
        ("raw_query", b"a=b"),
        ("body", "text"),
        ("content_type", None),
    ],
)
def test_a_wrong_type_is_refused_by_its_name(name: str, value: Any) -> None:
    with pytest.raises(TypeError, match=rf"^{name} must be "):
        check_types({name: value})


def test_right_types_pass() -> None:
    check_types(
        {
            "headers": {"a": "b"},
            "data_elements": ("buyerInfo",),
            "as_is": True,
            "max_wait": None,
            "batch": False,
            "sandbox": None,
            "restricted_resources": [("GET", "/x", ["buyerInfo"])],
            "token_kind": "",
            "raw_query": None,
            "body": b"",
            "content_type": "",
        }
    )


def test_headers_are_pairs_of_texts() -> None:
    assert header_pairs({"a": "b"}) == header_pairs([("a", "b")]) == [("a", "b")]
    for wrong in ({"a": 1}, [("a",)], ["ab"]):
        with pytest.raises(TypeError, match="pairs of texts"):
            check_types({"headers": wrong})
