"""How a call's options become a message."""

import pytest
from sellergate.gateway.v1 import call_pb2
from sellergate_client.rpc.requests import call_request
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
