"""Amazon's responses on their way to browsers and programs."""

import asyncio
import tracemalloc
from collections.abc import MutableMapping
from typing import Any

import pytest
from sellergate_client import SpApiResponse
from sellergate_common.context import CallContext, use_context
from sellergate_common.errors import CallCancelled, InvalidRequest, Unavailable
from sellergate_edge.forwarding import MAX_BODY_BYTES, forward, max_wait_of, seconds_of, to_http_response
from sellergate_edge.limits.buffers import MAX_BUFFERED_BYTES, MAX_BUFFERED_BYTES_OF_USER
from starlette.requests import Request

from tests.fakes.virtual_time import run_in_virtual_time


def response(*headers: tuple[str, str], status: int = 200) -> list[tuple[str, str]]:
    sent = to_http_response(SpApiResponse(status, headers, b"{}", "", 0.0, 1, 0.0, ""))
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
def test_no_header_of_amazon_controls_a_browser(name: str) -> None:
    for spelled in (name, name.lower(), name.upper()):
        assert response((spelled, "x")) == [("content-length", "2")]


def test_headers_for_programs_are_returned() -> None:
    kept = [("x-amzn-requestid", "r"), ("content-type", "application/json"), ("retry-after", "1"), ("etag", '"é"')]
    assert response(*kept) == [*kept, ("content-length", "2")]


@pytest.mark.parametrize("pair", [("a b", "x"), ("a", "x\r\nset-cookie: y"), ("a", "x\0"), ("a:", "x"), ("", "x")])
def test_a_header_that_http_cannot_carry_is_dropped(pair: tuple[str, str]) -> None:
    assert response(pair) == [("content-length", "2")]


@pytest.mark.parametrize("status", [0, 100, 101, 199, 600, 999])
def test_a_status_that_is_not_final_is_an_outage_of_amazon(status: int) -> None:
    with pytest.raises(Unavailable) as caught:
        response(status=status)
    assert caught.value.reason == "AMAZON_UNAVAILABLE"


POST = {"type": "http", "method": "POST", "query_string": b"", "headers": []}


class Client:
    """A client that takes the body of a call, drops it, and records the memory that is still in use."""

    sent = kept = 0

    async def call(self, *_: Any, **options: Any) -> SpApiResponse:
        self.sent = len(options.pop("body"))
        self.kept, _ = tracemalloc.get_traced_memory()
        return SpApiResponse(200, (), b"{}", "", 0.0, 1, 0.0, "")


async def test_a_dropped_body_is_freed() -> None:
    size, client = 4_000_000, Client()

    messages = [{"type": "http.request", "body": b"x" * size, "more_body": False}]

    async def receive() -> MutableMapping[str, Any]:
        if not messages:
            await asyncio.Event().wait()
        return messages.pop()

    tracemalloc.start()
    try:
        await forward(Request(POST, receive), client, "a", "/x", "u1", 1.0, seconds=30.0)  # type: ignore[arg-type]
    finally:
        tracemalloc.stop()
    assert client.sent == size
    assert client.kept < size / 10


def test_two_copies_of_bodies_stay_within_the_bound() -> None:
    assert 2 * MAX_BUFFERED_BYTES <= 24 * 1024 * 1024  # 8 MiB remain for bytes that are read and not yet counted
    assert MAX_BODY_BYTES < MAX_BUFFERED_BYTES_OF_USER < MAX_BUFFERED_BYTES


@pytest.mark.parametrize(
    ("method", "headers", "length"),
    [
        ("HEAD", (("Content-Length", "1234"),), "1234"),
        ("HEAD", (), "0"),
        ("HEAD", (("Content-Length", "12x"),), "0"),
        ("GET", (("Content-Length", "1234"),), "0"),
    ],
)
def test_head_keeps_amazons_content_length(method: str, headers: tuple[tuple[str, str], ...], length: str) -> None:
    sent = to_http_response(SpApiResponse(200, headers, b"", "", 0.0, 1, 0.0, ""), method)
    assert [value.decode() for name, value in sent.raw_headers if name == b"content-length"] == [length]


def request_of(value: str | None, name: str = "x-sellergate-max-wait") -> Request:
    headers = [] if value is None else [(name.encode(), value.encode())]
    return Request({"type": "http", "method": "GET", "headers": headers})


@pytest.mark.parametrize(("wait", "seconds"), [(None, 2.0), ("0", 0.0), ("0.5", 0.5), ("20", 20.0)])
def test_a_call_waits_for_quota_as_long_as_its_header_says(wait: str | None, seconds: float) -> None:
    assert max_wait_of(request_of(wait), 2.0) == seconds


@pytest.mark.parametrize("wait", ["", "-1", "20.1", "nan", "1e1"])
def test_a_wait_out_of_bounds_is_refused_by_field(wait: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        max_wait_of(request_of(wait), 2.0)
    assert [violation.field for violation in caught.value.violations] == ["x-sellergate-max-wait"]


@pytest.mark.parametrize(("given", "seconds"), [(None, 30.0), ("1", 1.0), ("68.5", 68.5), ("290", 290.0)])
def test_a_call_has_the_seconds_that_its_header_names(given: str | None, seconds: float) -> None:
    assert seconds_of(request_of(given, "x-sellergate-timeout"), 30.0) == seconds


@pytest.mark.parametrize("given", ["", "0", "0.9", "-1", "290.1", "300", "nan", "inf", "1e2", "60s"])
def test_a_time_outside_of_the_bounds_is_refused_by_name(given: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        seconds_of(request_of(given, "x-sellergate-timeout"), 30.0)
    assert [violation.field for violation in caught.value.violations] == ["x-sellergate-timeout"]


class SlowClient:
    """A client whose calls take 68 seconds."""

    seconds = 0.0
    ended = ""

    async def call(self, *_: Any, seconds: float, **__: Any) -> SpApiResponse:
        self.seconds = seconds
        try:
            await asyncio.sleep(68)
        except asyncio.CancelledError:
            self.ended = "cancelled"
            raise
        self.ended = "done"
        return SpApiResponse(200, (), b"{}", "", 0.0, 1, 0.0, "")


async def forwarded(client: SlowClient, stays: float) -> int:
    """Forward a call whose caller sends its body and stays connected for a number of seconds; return the status."""
    messages = [{"type": "http.disconnect"}, {"type": "http.request", "body": b"{}", "more_body": False}]

    async def receive() -> MutableMapping[str, Any]:
        if len(messages) == 1:
            await asyncio.sleep(stays)
        return messages.pop()

    context = CallContext("POST", "r", deadline=0.0)
    with use_context(context):
        found = await forward(Request(POST, receive), client, "a", "/x", "u1", 1.0, seconds=290.0)  # type: ignore[arg-type]
    assert context.deadline == context.started + 290.0
    return found.status_code


def test_a_call_may_take_as_long_as_its_caller_waits() -> None:
    client = SlowClient()
    assert run_in_virtual_time(forwarded(client, 69)) == 200
    assert (client.ended, client.seconds) == ("done", 290.0)


def test_a_call_ends_when_its_caller_closes_the_connection() -> None:
    client = SlowClient()
    with pytest.raises(CallCancelled):
        run_in_virtual_time(forwarded(client, 67))
    assert client.ended == "cancelled"
