"""Calls of SP-API as messages of sellergate.gateway.v1."""

from collections.abc import Mapping
from dataclasses import dataclass

from google.protobuf.duration_pb2 import Duration
from sellergate.gateway.v1 import call_pb2
from sellergate_common.errors import InvalidRequest

from sellergate_client.rpc.json_body import encode_json
from sellergate_client.rpc.options import CallOptions, check_names, check_types, header_pairs
from sellergate_client.rpc.query import query_pairs


@dataclass(frozen=True, slots=True, repr=False)
class SerializedCall:
    """A serialized CallRequest, so that gRPC makes the only other copy of a large body."""

    method: str
    data: bytes

    def SerializeToString(self) -> bytes:  # noqa: N802  (the name that a message has)
        """Return the bytes of the message."""
        return self.data


@dataclass(frozen=True, slots=True)
class ByOperation:
    """An operation of the catalogue in place of method and path. `path_params` are not encoded."""

    name: str
    path_params: Mapping[str, str]


def serialized_call(account_id: str, method: str, path: str | ByOperation, options: CallOptions) -> SerializedCall:
    """Return a serialized call, and remove its body from `options`.

    Raises InvalidRequest; TypeError for an option that does not exist or has a wrong type.
    """
    check_call(account_id, method, path, options)
    body = options.pop("body", b"") if options.get("json") is None else b""
    request = _message(account_id, method, path, options)
    head = request.SerializeToString()
    # A message that holds the body would be a third copy.
    return SerializedCall(method.upper(), length_delimited(head, _BODY_FIELD, body) if body else head)


def call_request(account_id: str, method: str, path: str | ByOperation, options: CallOptions) -> call_pb2.CallRequest:
    """Return a call as a message. Raises as `serialized_call`."""
    check_call(account_id, method, path, options)
    return _message(account_id, method, path, options)


def length_delimited(head: bytes, field: int, value: bytes) -> bytes:
    """Return a message of the fields in `head` and one more, of bytes, of text or of a message."""
    # Fields may come in any order on the wire (Protocol Buffers, "Encoding").
    return b"".join((head, _varint(field << 3 | _LENGTH_DELIMITED), _varint(len(value)), value))


def check_call(account_id: str, method: str, path: str | ByOperation, options: CallOptions) -> None:
    """Raise TypeError for a wrong type or an option that does not exist, and InvalidRequest for two bodies."""
    for name, value in (("account_id", account_id), ("method", method)):
        if not isinstance(value, str):
            raise TypeError(f"{name} must be a text, not {type(value).__name__}")
    if not isinstance(path, str | ByOperation):
        raise TypeError(f"path must be a text, not {type(path).__name__}")
    check_names("call", options)
    check_types(options)
    if options.get("body") and options.get("json") is not None:
        raise InvalidRequest.of_field("body", "must be left out when json is given")


def _message(account_id: str, method: str, path: str | ByOperation, options: CallOptions) -> call_pb2.CallRequest:
    body, content_type = options.get("body", b""), options.get("content_type", "")
    if options.get("json") is not None:
        body, content_type = encode_json(options["json"]), content_type or "application/json"
    request = call_pb2.CallRequest(
        account_id=account_id,
        headers=[call_pb2.Header(name=name, value=value) for name, value in header_pairs(options.get("headers", ()))],
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
    if isinstance(path, ByOperation):
        request.operation = path.name
        request.path_params.update(path.path_params)
    else:
        request.method, request.path = method.upper(), path
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
    """Return a number as a varint: groups of seven bits, the lowest first; all but the last have the high bit set."""
    encoded = bytearray()
    while number >> 7:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


_LENGTH_DELIMITED = 2
_BODY_FIELD = call_pb2.CallRequest.BODY_FIELD_NUMBER


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
        parameters = [call_pb2.QueryParameter(name=name, value=text) for name, text in query_pairs(query)]
        request.query.parameters.extend(parameters)


def _duration(seconds: float) -> Duration:
    duration = Duration()
    duration.FromMilliseconds(int(seconds * 1000))
    return duration
