"""Calls of SP-API as messages of sellergate.gateway.v1."""

import json as json_library
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

from google.protobuf.duration_pb2 import Duration
from sellergate.gateway.v1 import call_pb2
from sellergate_common.errors import InvalidRequest

Query = Mapping[str, Any] | Sequence[tuple[str, str | None]]
Headers = Sequence[tuple[str, str]]


class Options(TypedDict, total=False):
    """How a call may be made.

    `headers`: further ones. `data_elements`: personal data wanted of Orders v0. `as_is`: Amazon's refusals are answers instead of
    errors. `max_wait`: longest wait for quota in seconds; left out, until the deadline. `batch`: leaves a share of the quota to
    calls that people wait for. `sandbox`: go there, or not; left out, as the account says. `restricted_resources`: send the
    Restricted Data Token of exactly these, as (method, path, data elements). `token_kind`: "seller" or "grantless", for operations
    with which Amazon takes either; left out, the kind that the operation wants.
    """

    headers: Headers
    data_elements: Sequence[str]
    as_is: bool
    max_wait: float | None
    batch: bool
    sandbox: bool | None
    restricted_resources: Sequence[tuple[str, str, Sequence[str]]]
    token_kind: str


class Body(TypedDict, total=False):
    """What a call carries: `json` to encode, or `body` with its `content_type`; `query` to encode, or `raw_query` as it is."""

    query: Query | None
    raw_query: str | None
    body: bytes
    json: Any
    content_type: str


class CallOptions(Options, Body, total=False):
    """All that a call takes beside account, method and path."""


@dataclass(frozen=True, slots=True, repr=False)
class SerializedCall:
    """A CallRequest as it goes onto the wire, so that gRPC makes the only other copy of a large body."""

    method: str
    data: bytes

    def SerializeToString(self) -> bytes:  # noqa: N802  (the name that a message has)
        """Return the bytes of the message."""
        return self.data


def serialized_call(account_id: str, method: str, path: str, options: CallOptions) -> SerializedCall:
    """Return a call as it goes onto the wire, and take its body out of `options`. Raises InvalidRequest."""
    body = options.pop("body", b"") if options.get("json") is None else b""
    request = call_request(account_id, method, path, options)
    head = request.SerializeToString()
    # Fields may come in any order on the wire (Protocol Buffers, "Encoding"); a message that holds the body would be a third copy.
    return SerializedCall(request.method, b"".join((head, _BODY_TAG, _varint(len(body)), body)) if body else head)


def refuse_unnamed(method: str, unnamed: Sequence[Any]) -> None:
    """Raise TypeError for what a write was given after its path without a name: it could be meant as body or as query."""
    if unnamed:
        raise TypeError(
            f"{method}() takes only the path without a name; write {method}(path, json=…) for a body,"
            f" or {method}(path, params=…) for a query"
        )


def call_request(account_id: str, method: str, path: str, options: CallOptions) -> call_pb2.CallRequest:
    """Return a call as a message. Raises InvalidRequest."""
    body, content_type = options.get("body", b""), options.get("content_type", "")
    if options.get("json") is not None:
        body, content_type = json_library.dumps(options["json"]).encode(), content_type or "application/json"
    request = call_pb2.CallRequest(
        account_id=account_id,
        method=method.upper(),
        path=path,
        headers=[call_pb2.Header(name=name, value=value) for name, value in options.get("headers", ())],
        body=body,
        content_type=content_type,
        data_elements=options.get("data_elements", ()),
        answer_mode=call_pb2.ANSWER_MODE_AS_IS if options.get("as_is") else call_pb2.ANSWER_MODE_TYPED,
        priority=call_pb2.PRIORITY_BATCH if options.get("batch") else call_pb2.PRIORITY_INTERACTIVE,
        restricted_resources=[
            call_pb2.RestrictedResource(method=verb, path=where, data_elements=elements)
            for verb, where, elements in options.get("restricted_resources", ())
        ],
    )
    if options.get("token_kind"):
        request.token_kind = _token_kind(options["token_kind"])
    _set_query(request, options)
    max_wait, sandbox = options.get("max_wait"), options.get("sandbox")
    if max_wait is not None:
        request.max_wait.CopyFrom(_duration(max_wait))
    if sandbox is not None:
        request.sandbox = sandbox
    return request


def _varint(number: int) -> bytes:
    """Return a number in groups of seven bits, the lowest first; all but the last have the high bit set."""
    encoded = bytearray()
    while number >> 7:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


_LENGTH_DELIMITED = 2
_BODY_TAG = _varint(call_pb2.CallRequest.BODY_FIELD_NUMBER << 3 | _LENGTH_DELIMITED)


def _token_kind(given: str) -> "call_pb2.TokenKind.ValueType":
    try:
        return call_pb2.TokenKind.Value(f"TOKEN_KIND_{given.upper()}")
    except ValueError:
        raise InvalidRequest.of_field("token_kind", "must be seller or grantless") from None


def _set_query(request: call_pb2.CallRequest, options: CallOptions) -> None:
    query, raw_query = options.get("query"), options.get("raw_query")
    if raw_query is not None and query is not None:
        raise InvalidRequest.of_field("query", "must be left out when raw_query is given")
    if raw_query is not None:
        request.raw_query = raw_query
    elif query is not None:
        request.query.parameters.extend(_parameters(query))


def _parameters(query: Query) -> list[call_pb2.QueryParameter]:
    pairs = query.items() if isinstance(query, Mapping) else query
    return [call_pb2.QueryParameter(name=name, value=_text(value)) for name, value in pairs]


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ",".join(str(item) for item in value)
    return str(value)


def _duration(seconds: float) -> Duration:
    duration = Duration()
    duration.FromMilliseconds(int(seconds * 1000))
    return duration
