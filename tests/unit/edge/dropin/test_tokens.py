"""Access tokens of drop-in clients: any other header is refused."""

import base64
import time

import pytest
from sellergate_common.crypto.sealing import encode_key
from sellergate_edge.dropin.tokens import DropInTokens, Grant, TokenInvalid

TOKENS = DropInTokens(f"k1 {encode_key(bytes(64))}", lambda: 1_700_000_000.0)


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


@pytest.mark.parametrize(
    "header",
    [b"", b"{}", b"[]", b'"x"', b"[" * 30_000, b'{"kid": []}', b'{"kid": "k1", "alg": "none"}', b'{"kid": "\\ud800"}'],
)
def test_a_header_of_any_other_form_is_not_a_token(header: bytes) -> None:
    with pytest.raises(TokenInvalid):
        TOKENS.read(f"{encoded(header)}.e30.{encoded(bytes(64))}")


def test_an_issued_token_returns_its_grant() -> None:
    grant = Grant("sgc_1", "u1", "a1", resources=(("GET", "/x", ("buyerInfo",)),))
    tokens = DropInTokens(f"k1 {encode_key(bytes(64))}", time.time)
    assert tokens.read(tokens.issue(grant)) == grant
