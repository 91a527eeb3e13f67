"""The classification of Amazon's responses."""

import gzip
import json
import zlib
from typing import Any

import pytest
from sellergate_gateway.spapi.http import AmazonResponse
from sellergate_gateway.spapi.response import Kind, classify, rate_limit_of, retry_after_of

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
        # A proxy in front of SP-API cannot know whether SP-API executed the call.
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
        (respond(404, b"not json"), Kind.NOT_FOUND),
        (respond(409, errors("Conflict")), Kind.CONFLICT),
        (respond(408, errors("RequestTimedOut")), Kind.TIMED_OUT),
        (respond(408), Kind.TIMED_OUT),
    ],
)
def test_each_response_has_its_kind(given: AmazonResponse, kind: Kind) -> None:
    assert classify(given).kind is kind


@pytest.mark.parametrize(
    "body",
    [
        errors("C", "m", "d"),
        {**errors("C", "m", "d"), "payload": None},
        [{"code": "C", "message": "m", "details": "d"}],
        {"code": "C", "message": "m", "details": "d"},
        {"errors": {"code": "C", "message": "m", "details": "d"}},
        {"errors": [7, None, {}, {"code": "C", "message": "m", "details": "d"}]},
        {"errors": None, "code": "C", "message": "m", "details": "d"},
        {"errors": [], "code": "C", "message": "m", "details": "d"},
    ],
)
def test_errors_are_parsed_in_all_their_forms(body: Any) -> None:
    error = classify(respond(400, body)).error
    assert error is not None
    assert (error.code, error.message, error.details) == ("C", "m", "d")


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b'{"errors":[{"co', b"[1]", b"null", b'{"errors":null}', b"[" * 100_000, b"\xff\xfe"]
)
def test_other_bodies_hold_no_errors(body: bytes) -> None:
    assert classify(respond(400, body)).error is None


def test_a_compressed_error_is_parsed_and_a_broken_one_is_ignored() -> None:
    packed = gzip.compress(json.dumps(errors("C")).encode())
    read_error = classify(respond(400, packed, content_encoding="gzip")).error
    assert read_error is not None
    assert read_error.code == "C"
    assert classify(respond(400, packed[:20], content_encoding="gzip")).error is None
    assert classify(respond(400, b"plain", content_encoding="gzip")).error is None


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "deflate"])
def test_a_refused_token_is_found_in_each_content_coding(coding: str) -> None:
    body = json.dumps(errors("Unauthorized", DENIED, "The access token you provided has expired.")).encode()
    packed = zlib.compress(body) if coding == "deflate" else gzip.compress(body)
    assert classify(respond(403, packed, content_encoding=coding)).kind is Kind.TOKEN_REFUSED


def test_the_rate_that_amazon_reports() -> None:
    rates = [
        rate_limit_of(respond(200, x_amzn_RateLimit_Limit=text))
        for text in ("0.0167", "5", "0.0056", "1e-320", "1e-9", "0", "-1", "nan", "inf", "1e400", "soon", "")
    ]
    assert rates == [0.0167, 5.0, 0.0056, 0, 0, 0, 0, 0, 0, 0, 0, 0]
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
