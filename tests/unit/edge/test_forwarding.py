"""Amazon's responses on their way to browsers and programs."""

import pytest
from sellergate_client import Answer
from sellergate_common.errors import Unavailable
from sellergate_edge.forwarding import answered


def response(*headers: tuple[str, str], status: int = 200) -> list[tuple[str, str]]:
    sent = answered(Answer(status, headers, b"{}", "", 0.0, 1, 0.0, ""))
    return [(name.decode(), value.decode("latin-1")) for name, value in sent.raw_headers]


@pytest.mark.parametrize(
    "name",
    [
        "Set-Cookie",
        "Clear-Site-Data",
        "Content-Security-Policy",
        "Strict-Transport-Security",
        "Access-Control-Allow-Origin",
        "Cross-Origin-Opener-Policy",
        "Service-Worker-Allowed",
        "Refresh",
        "NEL",
        "X-Frame-Options",
        "X-Sellergate-Sandbox",
        "Transfer-Encoding",
    ],
)
def test_no_header_of_amazon_rules_a_browser(name: str) -> None:
    for spelled in (name, name.lower(), name.upper()):
        assert response((spelled, "x")) == [("content-length", "2")]


def test_headers_that_programs_read_come_back() -> None:
    kept = [("x-amzn-requestid", "r"), ("content-type", "application/json"), ("retry-after", "1"), ("etag", '"é"')]
    assert response(*kept) == [*kept, ("content-length", "2")]


@pytest.mark.parametrize("pair", [("a b", "x"), ("a", "x\r\nset-cookie: y"), ("a", "x\0"), ("a:", "x"), ("", "x")])
def test_a_header_that_http_cannot_carry_is_dropped(pair: tuple[str, str]) -> None:
    assert response(pair) == [("content-length", "2")]


@pytest.mark.parametrize("status", [0, 100, 101, 199, 600, 999])
def test_a_status_that_ends_no_call_is_amazons_outage(status: int) -> None:
    with pytest.raises(Unavailable) as caught:
        response(status=status)
    assert caught.value.reason == "AMAZON_UNAVAILABLE"
