"""Errors over REST: the status, the reason, and Retry-After."""

import json

import pytest
from sellergate_common.errors import RULES, OutcomeUnknown, Overloaded, QuotaExceeded, Reason, ResponseTooLarge
from sellergate_edge.dropin.amazon_errors import amazon_error, lwa_error
from sellergate_edge.routes.problems import problem


def test_a_refusal_under_overload_has_a_retry_after() -> None:
    error = Overloaded("More than can be finished in time.", domain="sellergate.token", retry_after=1.25)
    response = problem(error)
    assert (response.status_code, response.headers["retry-after"]) == (503, "2")
    document = json.loads(response.body)
    assert (document["reason"], document["retryAfter"]) == ("OVERLOADED", 1.25)
    to_an_sdk = amazon_error(error)
    assert (to_an_sdk.status_code, to_an_sdk.headers["retry-after"]) == (503, "2")
    assert json.loads(to_an_sdk.body)["errors"][0]["code"] == "ServiceUnavailable"


@pytest.mark.parametrize("reason", [Reason.AMAZON_OUTCOME_UNKNOWN, Reason.OUTCOME_UNKNOWN])
def test_a_write_with_an_unknown_outcome_is_not_offered_for_a_retry(reason: Reason) -> None:
    error = OutcomeUnknown("Its response did not arrive.", reason=reason)
    response = problem(error)
    assert (response.status_code, json.loads(response.body)["reason"]) == (504, reason)
    to_an_sdk = amazon_error(error)
    (shown,) = json.loads(to_an_sdk.body)["errors"]
    assert (to_an_sdk.status_code, shown["code"]) == (504, "InternalFailure")
    assert "may have been carried out" in shown["message"]
    assert "try again" not in to_an_sdk.body.decode().lower()
    assert shown["details"].startswith(reason)
    assert "retry-after" not in to_an_sdk.headers


def test_a_response_that_is_too_large_is_not_offered_for_a_retry() -> None:
    to_an_sdk = amazon_error(ResponseTooLarge("Amazon responded 201 with a response above 16 MiB."))
    (shown,) = json.loads(to_an_sdk.body)["errors"]
    assert "was carried out" in shown["message"]
    assert "try again" not in to_an_sdk.body.decode().lower()


@pytest.mark.parametrize("reason", [reason for reason in Reason if RULES[reason].error.http_status == 429])
@pytest.mark.parametrize(("seconds", "header"), [(None, "1"), (0.0, "1"), (0.2, "1"), (62.5, "63")])
def test_every_429_has_a_retry_after(reason: Reason, seconds: float | None, header: str) -> None:
    error = RULES[reason].error("Wait.", reason=reason, retry_after=seconds)
    responses = [problem(error), amazon_error(error)]
    if reason is Reason.LOCAL_QUOTA_EXCEEDED:
        responses.append(lwa_error(error))
    for response in responses:
        assert (response.status_code, response.headers["retry-after"]) == (429, header)


def test_amazons_own_429_has_a_retry_after_for_an_sdk() -> None:
    error = QuotaExceeded("Wait.", reason=Reason.AMAZON_QUOTA_EXCEEDED, metadata={"amazon_code": "QuotaExceeded"})
    assert amazon_error(error).headers["retry-after"] == "1"
