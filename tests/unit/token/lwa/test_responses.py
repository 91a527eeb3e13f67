"""The results of LWA's responses."""

import json

import pytest
from pydantic import SecretStr
from sellergate_common.errors import (
    AmazonRefused,
    InvalidRequest,
    PreconditionFailed,
    Reason,
    SellergateError,
    Unavailable,
)
from sellergate_token.lwa.responses import Busy, Response, parse
from sellergate_token.ports import AccessToken, Code, Grant, RefreshToken, Scope

REFRESH, SCOPE, CODE = RefreshToken(SecretStr("Atzr|1")), Scope("s"), Code(SecretStr("c"), "")
GOOD = {"access_token": "Atza|1", "token_type": "bearer", "expires_in": 3600, "refresh_token": "Atzr|2"}


def response(document: object, status: int = 200, **headers: str) -> Response:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status, names, document if isinstance(document, bytes) else json.dumps(document).encode())


def refusal(error: str, status: int = 400, grant: Grant = REFRESH, **headers: str) -> SellergateError:
    with pytest.raises(SellergateError) as caught:
        parse(response({"error": error, "error_description": "words\r\n of Amazon"}, status, **headers), grant, 0.0)
    return caught.value


def test_a_tokens_lifetime_starts_at_its_receipt() -> None:
    assert parse(response(GOOD), REFRESH, 100.0) == AccessToken(
        SecretStr("Atza|1"), 3700.0, 3600.0, SecretStr("Atzr|2")
    )
    assert parse(response({**GOOD, "expires_in": "3600"}), REFRESH, 0.0).life == 3600
    assert parse(response({**GOOD, "expires_in": 10**9}), REFRESH, 0.0).life == 24 * 3600
    assert parse(response({**GOOD, "refresh_token": None}), REFRESH, 0.0).refresh_token is None


@pytest.mark.parametrize(
    "changed",
    [
        {"access_token": ""},
        {"access_token": None},
        {"access_token": "Atza|x\r\nX-Evil: 1"},
        {"access_token": "\ud800"},
        {"access_token": "x" * 5000},
        {"access_token": ["Atza|1"]},
        {"expires_in": 0},
        {"expires_in": "soon"},
        {"expires_in": True},
        {"expires_in": float("nan")},
        {"refresh_token": "Atzr|\n"},
        {"refresh_token": ["Atzr|1"]},
    ],
)
def test_a_success_that_holds_no_usable_token_is_unavailable(changed: dict[str, object]) -> None:
    with pytest.raises(Unavailable) as caught:
        parse(response({**GOOD, **changed}), REFRESH, 0.0)
    assert caught.value.reason is Reason.AMAZON_UNAVAILABLE
    assert "Evil" not in repr(caught.value.__dict__)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[" * 60_000, b"\xff\xfe\xff", b"[]", b'"x"', b"{}" + b" " * 70_000])
@pytest.mark.parametrize("status", [200, 302, 400, 403, 503])
def test_an_unreadable_response_is_unavailable(body: bytes, status: int) -> None:
    with pytest.raises(Busy) as caught:
        parse(response(body, status), REFRESH, 0.0)
    assert caught.value.reason is Reason.AMAZON_UNAVAILABLE


@pytest.mark.parametrize(
    ("error", "grant", "reason"),
    [
        ("invalid_grant", REFRESH, Reason.AUTHORIZATION_REVOKED),
        ("unauthorized_client", REFRESH, Reason.AUTHORIZATION_MISMATCH),
        ("unauthorized_client", SCOPE, Reason.LWA_CLIENT_REJECTED),
        ("unauthorized_client", CODE, Reason.LWA_CLIENT_REJECTED),
        ("invalid_client", REFRESH, Reason.LWA_CLIENT_REJECTED),
    ],
)
def test_refusals_of_a_grant_and_of_a_client_have_different_reasons(error: str, grant: Grant, reason: Reason) -> None:
    refused = refusal(error, grant=grant)
    assert isinstance(refused, PreconditionFailed)
    assert (refused.reason, refused.metadata) == (reason, {"lwa_error": error})


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ("invalid_request", Reason.AMAZON_REJECTED),
        ("unsupported_grant_type", Reason.AMAZON_REJECTED),
        ("invalid_scope", Reason.AMAZON_REJECTED),
        ("access_denied", Reason.AMAZON_DENIED),
        ("new_error", Reason.AMAZON_REJECTED),
    ],
)
def test_other_refusals_are_final_and_hold_amazons_description(error: str, reason: Reason) -> None:
    refused = refusal(error)
    assert isinstance(refused, AmazonRefused)
    assert refused.reason is reason
    assert refused.metadata["amazon_code"] == error
    assert refused.metadata["amazon_message"] == "words?? of Amazon"


@pytest.mark.parametrize(
    ("error", "grant", "field"), [("invalid_scope", SCOPE, "scope"), ("invalid_grant", CODE, "code")]
)
def test_a_scope_or_code_that_amazon_refuses_is_named(error: str, grant: Grant, field: str) -> None:
    refused = refusal(error, grant=grant)
    assert isinstance(refused, InvalidRequest)
    assert [violation.field for violation in refused.violations] == [field]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        ("server_error", 500),
        ("server_error", 400),
        ("temporarily_unavailable", 503),
        ("x", 429),
        ("x", 502),
        ("", 400),
        ("", 301),
    ],
)
def test_failures_of_amazon_may_be_retried(error: str, status: int) -> None:
    busy = refusal(error, status)
    assert isinstance(busy, Busy)
    assert (busy.retry_after, busy.pause) == (1.0, 0.0)


def test_retry_after_is_read_in_seconds_and_as_a_date() -> None:
    seconds = refusal("slow_down", 429, retry_after="7")
    date = refusal("x", 503, retry_after="Wed, 21 Oct 2026 07:28:09 GMT", date="Wed, 21 Oct 2026 07:28:00 GMT")
    assert isinstance(seconds, Busy)
    assert isinstance(date, Busy)
    assert (seconds.pause, seconds.retry_after, date.pause) == (7.0, 7.0, 9.0)
    page = Response(503, {"retry-after": "5"}, b"<html>")
    with pytest.raises(Busy) as caught:
        parse(page, REFRESH, 0.0)
    assert caught.value.pause == 5.0
