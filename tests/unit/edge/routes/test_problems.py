"""Errors over REST: the status, the reason, and when to return."""

import json

from sellergate_common.errors import Overloaded
from sellergate_edge.dropin.amazon_errors import amazon_error
from sellergate_edge.routes.problems import problem


def test_a_refusal_under_overload_says_when_to_return() -> None:
    error = Overloaded("More than can be finished in time.", domain="sellergate.token", retry_after=1.25)
    response = problem(error)
    assert (response.status_code, response.headers["retry-after"]) == (503, "2")
    document = json.loads(response.body)
    assert (document["reason"], document["retryAfter"]) == ("OVERLOADED", 1.25)
    to_an_sdk = amazon_error(error)
    assert (to_an_sdk.status_code, to_an_sdk.headers["retry-after"]) == (503, "2")
    assert json.loads(to_an_sdk.body)["errors"][0]["code"] == "ServiceUnavailable"
