"""Redaction of secrets in logs."""

import pytest
from sellergate_common.observability.redaction import HIDDEN, redact, redact_text

SECRETS = [
    "Atza|IwEBIAbc_def-123",
    "Atzr|IwEBIAbc_def-123",
    "Atz.sprdt|IwEBIAbc_def-123",
    "amzn1.oa2-cs.v1.0123456789abcdef",
    "AKIAIOSFODNN7EXAMPLE",
    "ASIAIOSFODNN7EXAMPLE",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl",
    "sgs_0123456789abcdef0123",
    "sgr_0123456789abcdef0123",
]


@pytest.mark.parametrize("secret", SECRETS)
def test_known_shapes_are_redacted_everywhere(secret: str) -> None:
    for text in (secret, f"GET /x?token={secret}&a=1", f'{{"t": "{secret}"}}'):
        assert secret not in redact_text(text)
        assert HIDDEN in redact_text(text)


@pytest.mark.parametrize(
    "name", ["client_secret", "refresh_token", "Authorization", "x-amz-security-token", "password"]
)
def test_fields_named_like_secrets_are_redacted_whatever_they_hold(name: str) -> None:
    assert redact({name: "anything"}) == {name: HIDDEN}
    assert redact([{"deep": {name: "anything"}}]) == [{"deep": {name: HIDDEN}}]


def test_other_text_stays_readable() -> None:
    event = {"method": "a.B/C", "milliseconds": 1.5, "refresh_token_set": True, "path": "/orders/v0/orders"}
    assert redact(event) == event


def test_bytes_are_never_shown() -> None:
    assert redact(b"payload", "body") == "[7 bytes]"
