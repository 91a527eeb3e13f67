"""Faulty responses of LWA and STS: refusals that the client did not cause, and malformed bodies."""

import json
from collections.abc import Callable, Mapping

from sellergate_simulator.http.responses import Response, html_response, json_response
from sellergate_simulator.identity import sts

_TOKEN = {"access_token": "Atza|odd", "token_type": "bearer", "expires_in": 3600}
_LARGE_BYTES = 8 * 1024 * 1024
_DEEP_LEVELS = 20_000


def _refusal(error: str, status: int = 400) -> Response:
    return json_response({"error": error, "error_description": f"The request was refused : {error}"}, status)


def _odd(**fields: object) -> Response:
    # Escaped, so that text outside UTF-8 can be sent too.
    return Response(200, json.dumps({**_TOKEN, **fields}).encode(), "application/json")


def _large(response: Response) -> Response:
    return Response(response.status, response.body + b" " * _LARGE_BYTES, response.content_type)


LWA: Mapping[str, Callable[[], Response]] = {
    "lwa_500": lambda: json_response(
        {
            "error": "server_error",
            "error_description": "The authorization server encountered an unexpected condition",
        },
        500,
    ),
    "lwa_429": lambda: _refusal("slow_down", 429),
    "lwa_html": lambda: html_response(503, "Service Temporarily Unavailable"),
    "lwa_invalid_request": lambda: _refusal("invalid_request"),
    "lwa_access_denied": lambda: _refusal("access_denied", 403),
    "lwa_text_life": lambda: _odd(expires_in="3600"),
    "lwa_odd_types": lambda: _odd(access_token=["Atza|odd"], expires_in={"seconds": 3600}),
    "lwa_odd_token": lambda: _odd(access_token="Atza|odd\r\nX-Odd: 1"),
    "lwa_surrogate": lambda: _odd(access_token="Atza|\ud800"),
    "lwa_charset": lambda: Response(200, json.dumps(_TOKEN).encode("utf-16"), "application/json; charset=utf-7"),
    "lwa_deep": lambda: Response(200, b"[" * _DEEP_LEVELS, "application/json"),
    "lwa_large": lambda: _large(_odd()),
}
STS: Mapping[str, Callable[[], Response]] = {
    "sts_throttle": sts.throttled,
    "sts_html": lambda: html_response(503, "Service Temporarily Unavailable"),
    "sts_large": lambda: _large(sts.throttled()),
}
# These faults delay the true response; silent ones until the client leaves.
LWA_DELAYS, STS_DELAYS = ("lwa_slow", "lwa_silent"), ("sts_slow", "sts_silent")
