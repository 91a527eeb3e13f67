"""The typed errors that callers get for Amazon's responses, and for responses that did not arrive."""

import pytest
from sellergate_common.errors import Reason, SellergateError
from sellergate_gateway.calls.outcomes import OUTCOMES
from sellergate_gateway.spapi import errors as typed
from sellergate_gateway.spapi.http import AmazonResponse
from sellergate_gateway.spapi.response import classify

from tests.unit.gateway.spapi.test_response import errors, respond


def to_error(given: AmazonResponse, operation: str = "", *, idempotent: bool = True) -> SellergateError:
    found = classify(given)
    reason = OUTCOMES[found.kind].reason(idempotent=idempotent)
    assert reason is not None
    return typed.of_refusal(given, found, reason, operation, interval=2.0, personal=False)


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
        (respond(408, errors("RequestTimedOut")), True, Reason.AMAZON_UNAVAILABLE),
        (respond(408, errors("RequestTimedOut")), False, Reason.AMAZON_OUTCOME_UNKNOWN),
        (respond(429), False, Reason.AMAZON_QUOTA_EXCEEDED),
        (respond(500), True, Reason.AMAZON_UNAVAILABLE),
        (respond(500), False, Reason.AMAZON_OUTCOME_UNKNOWN),
        (respond(503, b"<html>"), False, Reason.AMAZON_OUTCOME_UNKNOWN),
        (respond(503, errors("ServiceUnavailable")), False, Reason.AMAZON_UNAVAILABLE),
    ],
)
def test_each_response_has_its_reason(given: AmazonResponse, idempotent: bool, reason: Reason) -> None:
    error = to_error(given, "a/v/o", idempotent=idempotent)
    assert error.reason is reason
    assert error.metadata["http_status"] == str(given.status)
    assert error.metadata["operation"] == "a/v/o"
    assert f"Amazon responded {given.status}" in error.message
    # RetryInfo invites a retry: it is present only where a retry is right.
    expected = {Reason.AMAZON_QUOTA_EXCEEDED: 2.0, Reason.AMAZON_UNAVAILABLE: 1.0}.get(reason)
    assert error.retry_after == expected


def test_amazons_own_error_is_included() -> None:
    given = respond(400, errors("InvalidInput", "No such thing", "x" * 10_000), x_amzn_RequestId="r-1")
    error = to_error(given)
    assert error.metadata["amazon_code"] == "InvalidInput"
    assert error.metadata["amazon_message"] == "No such thing"
    assert error.metadata["amazon_request_id"] == "r-1"
    assert len(error.metadata["amazon_details"]) == 500
    assert "operation" not in error.metadata


def test_every_error_of_amazon_is_in_the_message_with_its_details() -> None:
    rows = [
        {"code": "InvalidInput", "message": "Bad request", "details": "The SKU is unknown."},
        {"code": "QuotaNear", "message": "Slow down"},
    ]
    error = to_error(respond(400, {"errors": rows}))
    assert str(error) == "Amazon responded 400 InvalidInput: Bad request (The SKU is unknown.); QuotaNear: Slow down."
    rows[0]["details"] = "x" * 10_000
    error = to_error(respond(403, {"errors": rows}))
    assert len(str(error)) < 1000
    assert str(error).endswith("the account's marketplace.")


def test_amazons_retry_after_takes_precedence() -> None:
    given = respond(429, retry_after="9")
    assert to_error(given).retry_after == 9


@pytest.mark.parametrize(
    ("reason", "sent", "words", "retry_after"),
    [
        (Reason.AMAZON_OUTCOME_UNKNOWN, True, "check before you repeat it", None),
        (Reason.DEADLINE_EXCEEDED, True, "give the call more time", None),
        (Reason.AMAZON_UNAVAILABLE, True, "did not arrive", 1.0),
        (Reason.AMAZON_UNAVAILABLE, False, "nothing was sent", 1.0),
        (Reason.DEPENDENCY_UNAVAILABLE, False, "Nothing was sent", 1.0),
    ],
)
def test_a_missing_response_says_what_happened_and_what_to_do_next(
    reason: Reason, sent: bool, words: str, retry_after: float | None
) -> None:
    error = typed.of_missing_response("ServerDisconnectedError", reason, "a/v/o", sent=sent)
    assert (error.reason, error.retry_after, error.metadata["operation"]) == (reason, retry_after, "a/v/o")
    assert words in error.message
    assert "ServerDisconnectedError" in error.message
