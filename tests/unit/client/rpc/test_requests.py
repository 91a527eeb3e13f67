"""The conversion of a call's options into a message."""

import tracemalloc
from typing import Any

import pytest
from sellergate.gateway.v1 import call_pb2
from sellergate_client.rpc.options import CallOptions
from sellergate_client.rpc.requests import ByOperation, call_request, serialized_call
from sellergate_common.errors import InvalidRequest


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ("", call_pb2.TOKEN_KIND_UNSPECIFIED),
        ("seller", call_pb2.TOKEN_KIND_SELLER),
        ("Grantless", call_pb2.TOKEN_KIND_GRANTLESS),
    ],
)
def test_the_kind_of_token(given: str, kind: int) -> None:
    assert call_request("a", "DELETE", "/x", {"token_kind": given}).token_kind == kind


def test_a_kind_of_token_that_is_none() -> None:
    with pytest.raises(InvalidRequest) as caught:
        call_request("a", "DELETE", "/x", {"token_kind": "both"})
    assert caught.value.violations[0].field == "token_kind"


@pytest.mark.parametrize("size", [0, 1, 127, 128, 16_383, 16_384, 3_000_000])
def test_a_serialized_call_is_the_message_with_its_body(size: int) -> None:
    body = b"\xff" * size
    options: CallOptions = {"content_type": "text/plain", "raw_query": "a=b", "max_wait": 1.5}
    expected = call_request("a", "post", "/x", {**options, "body": body})
    made = serialized_call("a", "post", "/x", {**options, "body": body})
    assert made.method == "POST"
    assert call_pb2.CallRequest.FromString(made.SerializeToString()) == expected
    assert expected.body == body


def test_a_document_and_a_body_together_are_refused() -> None:
    with pytest.raises(InvalidRequest) as caught:
        serialized_call("a", "POST", "/x", {"json": {"b": 1}, "body": b"lost"})
    assert caught.value.violations[0].field == "body"


def test_a_document_is_the_body() -> None:
    made = call_pb2.CallRequest.FromString(serialized_call("a", "POST", "/x", {"json": {"b": 1}}).data)
    assert (made.body, made.content_type) == (b'{"b": 1}', "application/json")


def test_an_operation_stands_in_place_of_method_and_path() -> None:
    made = serialized_call("a", "GET", ByOperation("getOrder", {"orderId": "1/2"}), {"query": {"x": True}})
    request = call_pb2.CallRequest.FromString(made.data)
    assert (request.method, request.path, request.operation) == ("", "", "getOrder")
    assert dict(request.path_params) == {"orderId": "1/2"}
    assert (request.query.parameters[0].name, request.query.parameters[0].value) == ("x", "true")


@pytest.mark.parametrize(
    ("arguments", "name"),
    [((1, "GET", "/x", {}), "account_id"), (("a", None, "/x", {}), "method"), (("a", "GET", b"/x", {}), "path")],
)
def test_arguments_of_a_wrong_type_are_refused_by_their_names(arguments: Any, name: str) -> None:
    with pytest.raises(TypeError, match=rf"^{name} must be a text"):
        call_request(*arguments)


def test_an_unknown_option_is_refused() -> None:
    wrong: Any = {"max_wiat": 0}
    with pytest.raises(TypeError, match="did you mean max_wait"):
        call_request("a", "GET", "/x", wrong)


def test_a_large_body_is_in_memory_once_when_it_is_serialized() -> None:
    size = 4_000_000
    tracemalloc.start()
    try:
        options: CallOptions = {"body": b"x" * size}
        made = serialized_call("a", "POST", "/x", options)
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(made.data) > size
    assert peak < 2.1 * size
    assert kept < 1.1 * size
    assert "xxx" not in repr(made)
