"""The redaction of captured exchanges: no secrets, personal data or addresses that give access reach the operator.

For any request and response it takes time proportional to a bounded size, and never raises.
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
"""The most bytes of a body that is parsed; longer ones are neither parsed nor kept."""
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
    """A redacted request to Amazon and its response. Times are in seconds; status 0: no complete response arrived."""

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
    operation: str = ""

    def without_bodies(self) -> "Exchange":
        """Return the exchange with no body but that of an error."""
        return replace(self, request_body="", response_body=self.response_body if is_error(self.status) else "")


def is_error(status: int) -> bool:
    """Return whether a status is one of an error."""
    return status >= 400  # noqa: PLR2004  (HTTP's classes)


@dataclass(frozen=True, slots=True)
class _Body:
    """A body, or only its size if it is not to be parsed."""

    size: int
    data: bytes
    withheld: bool

    @classmethod
    def of(cls, body: bytes, *, shows: bool) -> "_Body":
        return cls(len(body), body if shows and len(body) <= LONGEST_BODY else b"", not shows)

    def render(self) -> str:
        """Return the beginning of the body without secrets, or in brackets the reason why it is not shown."""
        if not self.size:
            return ""
        if self.withheld:
            return f"[{self.size} bytes, withheld: personal data, tokens or documents]"
        if self.size > LONGEST_BODY:
            return f"[{self.size} bytes, too long to be redacted]"
        try:
            read = parsing.parse_json(self.data, most=LONGEST_BODY)
        except parsing.ParseError:
            return f"[{self.size} bytes, not JSON]"
        text = json.dumps(_plain(redact(read)), ensure_ascii=False, separators=(",", ":"))
        # JSON escapes can express lone surrogates, which no encoding can.
        whole = text.encode(errors="replace")
        cut = whole[:BODY_BYTES].decode(errors="ignore")
        return cut if len(whole) <= BODY_BYTES else f"{cut} [… of {self.size} bytes]"


@dataclass(frozen=True, slots=True)
class _RawExchange:
    """An exchange before redaction, without the bodies that are not shown."""

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
    """Return the redacted exchange, as the function that `build_exchange` returns does."""
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
    with_bodies: bool = True,
) -> Callable[[], Exchange]:
    """Return a function that redacts an exchange, in any thread. `response` is None if no complete one arrived.

    It keeps no body that it would not show; without `with_bodies` only that of an error. An exchange that cannot be redacted is
    reported without its content, so that no request can escape a capture.
    """
    shows = shows_bodies(operation)
    response = response or AmazonResponse(0, (), b"")
    seen = _RawExchange(
        request.method,
        request.url,
        request.headers,
        _Body.of(request.body if with_bodies else b"", shows=shows),
        response.status,
        response.headers,
        _Body.of(response.body if with_bodies or is_error(response.status) else b"", shows=shows),
    )
    blank = Exchange(
        start_time,
        request_id,
        seen.method,
        operation.path,
        (),
        (),
        "",
        seen.status,
        (),
        "",
        seconds,
        failure,
        operation.name,
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
    except Exception as error:  # noqa: BLE001  (a request may hold anything)
        return replace(blank, response_body=f"[cannot be shown: {type(error).__name__}]")


def _names(query: str) -> tuple[str, ...]:
    """Return the names of a query's parameters, each once, in their order."""
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
    """Remove the queries of URLs, since the query of a presigned URL gives access."""
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
