"""What an operator may see of a request to Amazon and its response: no secret, no personal data, no address that opens something.

Whatever a tenant or Amazon sends, looking at it ends in time proportional to a bounded size, and never raises.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from sellergate_amazon import parsing
from sellergate_amazon.operations import Operation
from sellergate_common.observability.redaction import HIDDEN, redact, redact_text

from sellergate_gateway.captures.shown_operations import shows_bodies
from sellergate_gateway.spapi.http import AmazonRequest, AmazonResponse, Headers

BODY_BYTES = 4096
LONGEST_BODY = 128 * 1024
"""Longer ones are not taken apart, and not kept until they could be."""
_LONGEST_QUERY, _LONGEST_HEADER = 16 * 1024, 2048
_MOST_NAMES, _LONGEST_NAME = 256, 128
_SHOWN = frozenset(
    {
        "accept",
        "content-encoding",
        "content-length",
        "content-type",
        "date",
        "retry-after",
        "x-amz-apigw-id",
        "x-amz-date",
        "x-amzn-errortype",
        "x-amzn-ratelimit-limit",
        "x-amzn-requestid",
        "x-amzn-trace-id",
    }
)
_ADDRESS = re.compile(r"https?://[^\s\"'<>]++", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request to Amazon and its response, as they may be seen. Times in seconds; status 0: no complete response came."""

    start_time: float
    request_id: str
    method: str
    path: str
    query_names: tuple[str, ...]
    request_headers: Headers
    request_body: str
    status: int
    response_headers: Headers
    response_body: str
    seconds: float
    failure: str = ""


@dataclass(frozen=True, slots=True)
class _Body:
    """A body, or only its size where it is not to be looked through."""

    size: int
    data: bytes
    withheld: bool

    @classmethod
    def of(cls, body: bytes, *, shows: bool) -> "_Body":
        return cls(len(body), body if shows and len(body) <= LONGEST_BODY else b"", not shows)

    def render(self) -> str:
        """Return the beginning of the body without secrets; in brackets why it is not shown."""
        if not self.size:
            return ""
        if self.withheld:
            return f"[{self.size} bytes, withheld: personal data, tokens or documents]"
        if self.size > LONGEST_BODY:
            return f"[{self.size} bytes, too long to be looked through]"
        try:
            read = parsing.parse_json(self.data, most=LONGEST_BODY)
        except parsing.ParseError:
            return f"[{self.size} bytes, no JSON]"
        text = json.dumps(_plain(redact(read)), ensure_ascii=False, separators=(",", ":"))
        # JSON can write half a character, which no encoding can.
        whole = text.encode(errors="replace")
        cut = whole[:BODY_BYTES].decode(errors="ignore")
        return cut if len(whole) <= BODY_BYTES else f"{cut} [… of {self.size} bytes]"


@dataclass(frozen=True, slots=True)
class _RawExchange:
    """An exchange as it was, but for bodies that are not shown."""

    method: str
    url: str
    request_headers: Headers
    request_body: _Body
    status: int
    response_headers: Headers
    response_body: _Body


def redact_exchange(
    operation: Operation, request: AmazonRequest, response: AmazonResponse | None, **known: Any
) -> Exchange:
    """Return what may be seen of an exchange, as the function that `build_exchange` returns."""
    return build_exchange(operation, request, response, **known)()


def build_exchange(
    operation: Operation,
    request: AmazonRequest,
    response: AmazonResponse | None,
    *,
    start_time: float,
    seconds: float,
    request_id: str,
    failure: str = "",
) -> Callable[[], Exchange]:
    """Return a function that looks at an exchange, in whichever thread; `response` is None where no complete one came.

    It keeps no body that it would not show. An exchange that cannot be looked at is reported with nothing that was sent: no tenant
    leaves a capture by what it sends.
    """
    shows = shows_bodies(operation)
    empty = AmazonResponse(0, (), b"")
    seen = _RawExchange(
        request.method,
        request.url,
        request.headers,
        _Body.of(request.body, shows=shows),
        (response or empty).status,
        (response or empty).headers,
        _Body.of((response or empty).body, shows=shows),
    )
    blank = Exchange(
        start_time, request_id, seen.method, operation.path, (), (), "", seen.status, (), "", seconds, failure
    )
    return partial(_build_exchange, seen, blank)


def _build_exchange(seen: _RawExchange, blank: Exchange) -> Exchange:
    try:
        return replace(
            blank,
            query_names=_names(urlsplit(seen.url).query),
            request_headers=_headers(seen.request_headers),
            request_body=seen.request_body.render(),
            response_headers=_headers(seen.response_headers),
            response_body=seen.response_body.render(),
        )
    except Exception as error:  # noqa: BLE001  (what was sent may be anything)
        return replace(blank, response_body=f"[cannot be shown: {type(error).__name__}]")


def _names(query: str) -> tuple[str, ...]:
    """Return the names of a query's parameters, each once, in order."""
    pairs = parse_qsl(query[:_LONGEST_QUERY], keep_blank_values=True)
    names = dict.fromkeys(redact_text(_encodable(name))[:_LONGEST_NAME] for name, _ in pairs)
    return tuple(names)[:_MOST_NAMES]


def _headers(headers: Headers) -> Headers:
    return tuple(
        (name, redact_text(_encodable(value[:_LONGEST_HEADER]))) for name, value in headers if name.lower() in _SHOWN
    )


def _encodable(text: str) -> str:
    return text.encode(errors="replace").decode()


def _plain(value: Any) -> Any:
    """Take the queries out of addresses: that of a presigned one is what opens it."""
    if isinstance(value, str):
        return _ADDRESS.sub(_without_query, value) if "://" in value else value
    if isinstance(value, dict):
        return {_plain(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value


def _without_query(address: re.Match[str]) -> str:
    path, mark, _ = address[0].partition("?")
    return f"{path}?{HIDDEN}" if mark else path
