"""What Amazon's responses mean, and the errors that callers see."""

import gzip
import json
from typing import Any

import pytest
from sellergate_common.errors import Reason
from sellergate_gateway.spapi.http import AmazonResponse
from sellergate_gateway.spapi.response import Kind, classify, rate_limit_of, retry_after_of, to_error

DENIED = "Access to requested resource is denied."


def respond(status: int, body: Any = b"", **headers: str) -> AmazonResponse:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return AmazonResponse(status, tuple((name.replace("_", "-"), value) for name, value in headers.items()), content)


def errors(code: str, message: str = "", details: str = "") -> dict[str, Any]:
    return {"errors": [{"code": code, "message": message, "details": details}]}


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        (respond(200, {"payload": {}}), Kind.SUCCESS),
        (respond(204), Kind.SUCCESS),
        (respond(200, b"<html>"), Kind.SUCCESS),
        (respond(429, errors("QuotaExceeded")), Kind.THROTTLED),
        (respond(429), Kind.THROTTLED),
        (respond(503, errors("ServiceUnavailable")), Kind.UNAVAILABLE),
        (respond(503, [{"code": "ServiceUnavailable"}]), Kind.UNAVAILABLE),
        # What stands before SP-API cannot know whether SP-API did it.
        (respond(503, {"message": "Service Unavailable"}), Kind.SERVER_ERROR),
        (respond(503, b"<html>Service Unavailable</html>"), Kind.SERVER_ERROR),
        (respond(503), Kind.SERVER_ERROR),
        (respond(500, errors("InternalFailure")), Kind.SERVER_ERROR),
        (respond(502, b"<html>"), Kind.SERVER_ERROR),
        (respond(504), Kind.SERVER_ERROR),
        (
            respond(403, errors("Unauthorized", DENIED, "The access token you provided has expired.")),
            Kind.TOKEN_REFUSED,
        ),
        (
            respond(401, errors("Unauthorized", "", "The access token you provided is revoked, malformed or invalid.")),
            Kind.TOKEN_REFUSED,
        ),
        (respond(403, errors("Unauthorized", DENIED)), Kind.FORBIDDEN),
        (respond(403, errors("Unauthorized", "The access token has expired")), Kind.FORBIDDEN),  # only details decide
        (respond(400, errors("InvalidInput", "", "access token expired")), Kind.REFUSED),
        (respond(403, errors("Unauthorized", "", "Access token is missing in the request header.")), Kind.FORBIDDEN),
        (
            respond(403, errors("Unauthorized", "The security token included in the request is expired")),
            Kind.CREDENTIALS_REFUSED,
        ),
        (
            respond(403, errors("Unauthorized", DENIED, "The LWA secret token you provided has expired.")),
            Kind.CLIENT_REFUSED,
        ),
        (respond(301), Kind.REFUSED),
        (respond(404, b"not json"), Kind.REFUSED),
    ],
)
def test_kinds(given: AmazonResponse, kind: Kind) -> None:
    assert classify(given).kind is kind


@pytest.mark.parametrize(
    "body",
    [
        errors("C", "m", "d"),
        {**errors("C", "m", "d"), "payload": None},
        [{"code": "C", "message": "m", "details": "d"}],
        {"code": "C", "message": "m", "details": "d"},
    ],
)
def test_errors_in_all_their_shapes(body: Any) -> None:
    error = classify(respond(400, body)).error
    assert error is not None
    assert (error.code, error.message, error.details) == ("C", "m", "d")


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b'{"errors":[{"co', b"[1]", b"null", b'{"errors":null}', b"[" * 100_000, b"\xff\xfe"]
)
def test_what_is_no_error_of_sp_api_is_none(body: bytes) -> None:
    assert classify(respond(400, body)).error is None


def test_a_compressed_error_is_read_and_a_broken_one_is_none() -> None:
    packed = gzip.compress(json.dumps(errors("C")).encode())
    read_error = classify(respond(400, packed, content_encoding="gzip")).error
    assert read_error is not None
    assert read_error.code == "C"
    assert classify(respond(400, packed[:20], content_encoding="gzip")).error is None
    assert classify(respond(400, b"plain", content_encoding="gzip")).error is None


def test_the_rate_that_amazon_tells() -> None:
    told = [
        rate_limit_of(respond(200, x_amzn_RateLimit_Limit=text))
        for text in ("0.0167", "5", "0.0056", "1e-320", "1e-9", "0", "-1", "nan", "inf", "1e400", "soon", "")
    ]
    assert told == [0.0167, 5.0, 0.0056, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    assert rate_limit_of(respond(200, X_AMZN_RATELIMIT_LIMIT="2")) == 2


def test_retry_after_in_seconds_and_as_a_date() -> None:
    def after(text: str, **more: str) -> float | None:
        return retry_after_of(respond(429, retry_after=text, **more))

    assert [after(text) for text in ("7", "0.5", "-3", "nan", "soon", "")] == [7, 0.5, 0, None, None, None]
    assert retry_after_of(respond(429)) is None
    assert after("inf") == after("1e300") == 3600
    date = {"date": "Wed, 21 Oct 2026 07:28:00 GMT"}
    assert after("Wed, 21 Oct 2026 07:28:09 GMT", **date) == 9
    assert after("Wed, 21 Oct 2026 07:00:00 GMT", **date) == 0
    assert after("Wed, 21 Oct 2026 07:28:09 GMT") is None
    assert after("Wed, 21 Oct 2026 07:28:09", **date) is None  # without a zone


@pytest.mark.parametrize(
    ("given", "idempotent", "reason"),
    [
        (respond(400, errors("InvalidInput", "m")), True, Reason.AMAZON_REJECTED),
        (respond(422), True, Reason.AMAZON_REJECTED),
        (respond(415), True, Reason.AMAZON_REJECTED),
        (respond(401), True, Reason.AMAZON_DENIED),
        (respond(403), True, Reason.AMAZON_DENIED),
        (respond(404), True, Reason.AMAZON_NOT_FOUND),
        (respond(409), True, Reason.AMAZON_CONFLICT),
        (respond(429), False, Reason.AMAZON_QUOTA_EXCEEDED),
        (respond(500), True, Reason.AMAZON_UNAVAILABLE),
        (respond(500), False, Reason.AMAZON_OUTCOME_UNKNOWN),
        (respond(503, b"<html>"), False, Reason.AMAZON_OUTCOME_UNKNOWN),
        (respond(503, errors("ServiceUnavailable")), False, Reason.AMAZON_UNAVAILABLE),
    ],
)
def test_reasons(given: AmazonResponse, idempotent: bool, reason: Reason) -> None:
    error = to_error(given, classify(given), "a/v/o", idempotent=idempotent, interval=2.0, personal=False)
    assert error.reason is reason
    assert error.metadata["http_status"] == str(given.status)
    assert error.metadata["operation"] == "a/v/o"
    assert f"Amazon answered {given.status}" in error.message
    # RetryInfo says "again": it stands where again is right, and nowhere else.
    expected = {Reason.AMAZON_QUOTA_EXCEEDED: 2.0, Reason.AMAZON_UNAVAILABLE: 1.0}.get(reason)
    assert error.retry_after == expected


def test_amazons_own_words_go_along() -> None:
    given = respond(400, errors("InvalidInput", "No such thing", "x" * 10_000), x_amzn_RequestId="r-1")
    error = to_error(given, classify(given), "", idempotent=True, interval=1.0, personal=False)
    assert error.metadata["amazon_code"] == "InvalidInput"
    assert error.metadata["amazon_message"] == "No such thing"
    assert error.metadata["amazon_request_id"] == "r-1"
    assert len(error.metadata["amazon_details"]) == 500
    assert "operation" not in error.metadata


def test_every_error_of_amazons_is_in_the_message_with_its_details() -> None:
    rows = [
        {"code": "InvalidInput", "message": "Bad request", "details": "The SKU is unknown."},
        {"code": "QuotaNear", "message": "Slow down"},
    ]
    given = respond(400, json.dumps({"errors": rows}).encode())
    error = to_error(given, classify(given), "", idempotent=True, interval=1.0, personal=False)
    assert str(error) == "Amazon answered 400 InvalidInput: Bad request (The SKU is unknown.); QuotaNear: Slow down."
    rows[0]["details"] = "x" * 10_000
    given = respond(403, json.dumps({"errors": rows}).encode())
    error = to_error(given, classify(given), "", idempotent=True, interval=1.0, personal=False)
    assert len(str(error)) < 1000
    assert str(error).endswith("the account's marketplace.")


def test_amazons_word_on_when_comes_before_ours() -> None:
    given = respond(429, retry_after="9")
    assert to_error(given, classify(given), "", idempotent=True, interval=2.0, personal=False).retry_after == 9
