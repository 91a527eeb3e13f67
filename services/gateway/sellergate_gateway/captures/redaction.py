"""What an operator may see of a request to Amazon and its answer: no secret, no personal data, no address that opens something."""

import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from sellergate_amazon import reading
from sellergate_amazon.operations import Operation
from sellergate_common.observability.redaction import HIDDEN, redact, redact_text

from sellergate_gateway.spapi.http import AmazonAnswer, AmazonRequest, Headers

BODY_BYTES = 4096
# Longer ones are not taken apart on the way of a call.
_LONGEST_BODY = 1024 * 1024
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
# Their answers hold tokens, codes, or presigned addresses of documents (models tokens_2021-03-01, authorization.v1 and those
# with "document" or "destination" in the operation's id).
_WITHHELD_APIS = ("tokens/", "authorization/")
_WITHHELD_WORDS = ("document", "destination", "upload", "token", "authorization")
_QUERY = re.compile(r"(https?://[^\s\"'<>?]+)\?[^\s\"'<>]*")


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request to Amazon and its answer, as they may be seen. Times in seconds; status 0: no complete answer came."""

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


def shows_bodies(operation: Operation) -> bool:
    """Tell whether bodies of an operation may be seen at all."""
    told = operation.operation_id.lower()
    restricted = operation.restricted or operation.restricted_basis is not None or operation.restricted_data_elements
    return not (
        restricted or operation.name.startswith(_WITHHELD_APIS) or any(word in told for word in _WITHHELD_WORDS)
    )


def shown(
    operation: Operation,
    request: AmazonRequest,
    answer: AmazonAnswer | None,
    *,
    start_time: float,
    seconds: float,
    request_id: str,
    failure: str = "",
) -> Exchange:
    """Return what may be seen of an exchange; `answer` is None where no complete one came."""
    bodies = shows_bodies(operation)
    return Exchange(
        start_time=start_time,
        request_id=request_id,
        method=request.method,
        path=operation.path,
        query_names=_names(urlsplit(request.url).query),
        request_headers=_headers(request.headers),
        request_body=_body(request.body, bodies=bodies),
        status=answer.status if answer else 0,
        response_headers=_headers(answer.headers) if answer else (),
        response_body=_body(answer.body, bodies=bodies) if answer else "",
        seconds=seconds,
        failure=failure,
    )


def _names(query: str) -> tuple[str, ...]:
    """Return the names of a query's parameters, each once, in order."""
    return tuple(dict.fromkeys(redact_text(name)[:128] for name, _ in parse_qsl(query, keep_blank_values=True)))


def _headers(headers: Headers) -> Headers:
    return tuple((name, redact_text(value)) for name, value in headers if name.lower() in _SHOWN)


def _body(body: bytes, *, bodies: bool) -> str:
    """Return the beginning of a body without secrets; in brackets why it is not shown."""
    if not body:
        return ""
    if not bodies:
        return f"[{len(body)} bytes, withheld: personal data, tokens or documents]"
    if len(body) > _LONGEST_BODY:
        return f"[{len(body)} bytes, too long to be looked through]"
    try:
        read = reading.parse_json(body, most=_LONGEST_BODY)
    except reading.Unreadable:
        return f"[{len(body)} bytes, no JSON]"
    text = json.dumps(_plain(redact(read)), ensure_ascii=False, separators=(",", ":"))
    cut = text.encode()[:BODY_BYTES].decode(errors="ignore")
    return cut if len(cut) == len(text) else f"{cut} [… of {len(body)} bytes]"


def _plain(value: Any) -> Any:
    """Take the queries out of addresses: that of a presigned one is what opens it."""
    if isinstance(value, str):
        return _QUERY.sub(rf"\1?{HIDDEN}", value)
    if isinstance(value, dict):
        return {_plain(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value
