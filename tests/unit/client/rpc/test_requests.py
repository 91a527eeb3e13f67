"""How a call's options become a message."""

import tracemalloc

import pytest
from sellergate.gateway.v1 import call_pb2
from sellergate_client.rpc.requests import CallOptions, call_request, serialized_call
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


def test_a_document_counts_before_a_body() -> None:
    made = serialized_call("a", "POST", "/x", {"json": {"b": 1}, "body": b"unused"})
    assert call_pb2.CallRequest.FromString(made.data).body == b'{"b": 1}'


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
