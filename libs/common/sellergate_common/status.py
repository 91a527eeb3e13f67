"""The mapping of `errors` to and from google.rpc.Status."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2 as details
from google.rpc.status_pb2 import Status

from sellergate_common.errors import (
    RULES,
    Code,
    FieldViolation,
    Reason,
    Resource,
    SellergateError,
)

DOMAIN_PREFIX = "sellergate."
DETAILS_KEY = "grpc-status-details-bin"
# Metadata that a server sends before it executes a call that must not be repeated: without it, the call was not begun.
BEGUN = ("x-sellergate-begun", "1")
# Metadata of an error: the server ended the call when it closed its connections, and had not sent BEGUN.
TURNED_AWAY = "turned_away"
# gRPC's text (server.cc, CancelAllCalls) for each call that is open when its server closes the connection at the end of
# a drain. It arrives on the same connection, so everything that the server sent earlier has arrived too.
_CLOSED_BY_SERVER = "Cancelling all calls"
# Keeps gRPC's retry policy from repeating a call that a service refused: only transport failures are retried.
DO_NOT_RETRY = ("grpc-retry-pushback-ms", "-1")

_Detail = TypeVar(
    "_Detail", details.ErrorInfo, details.BadRequest, details.ResourceInfo, details.RetryInfo, details.Help
)

_PRECONDITION_TYPES = {Reason.ACCOUNT_INACTIVE, Reason.AUTHORIZATION_REVOKED, Reason.AUTHORIZATION_MISMATCH}
# The details of an error travel in the trailers; gRPC drops trailers above 8 KiB in all, base64 included.
_MAX_MESSAGE_BYTES = 1_000
_MAX_FIELD_BYTES = 256
_MAX_VIOLATIONS_BYTES = 2_500
# The codes that a transport sends by itself, without a sellergate status: gRPC code → reason.
_TRANSPORT_REASONS: Mapping[grpc.StatusCode, Reason] = {
    grpc.StatusCode.UNAVAILABLE: Reason.DEPENDENCY_UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED: Reason.DEADLINE_EXCEEDED,
    grpc.StatusCode.UNAUTHENTICATED: Reason.CALLER_UNAUTHENTICATED,
    grpc.StatusCode.PERMISSION_DENIED: Reason.CALLER_NOT_ALLOWED,
    grpc.StatusCode.INVALID_ARGUMENT: Reason.INVALID_REQUEST,
    grpc.StatusCode.RESOURCE_EXHAUSTED: Reason.INVALID_REQUEST,  # a message above the size limit
    grpc.StatusCode.UNIMPLEMENTED: Reason.UNIMPLEMENTED,
    grpc.StatusCode.CANCELLED: Reason.CANCELLED,
}
_TRANSPORT_RETRY_SECONDS = 1.0


def to_status(error: SellergateError, service: str) -> Status:
    """Return the status of `error`, raised in `service` ("account"), with all of its details."""
    message = _cut(error.message, _MAX_MESSAGE_BYTES)
    # An error of another service keeps its domain.
    domain = error.domain or DOMAIN_PREFIX + service
    parts: list[
        details.ErrorInfo
        | details.BadRequest
        | details.ResourceInfo
        | details.RetryInfo
        | details.QuotaFailure
        | details.PreconditionFailure
        | details.Help
    ] = [details.ErrorInfo(reason=error.reason, domain=domain, metadata=error.metadata)]
    if error.violations:
        parts.append(details.BadRequest(field_violations=_truncate_violations(error.violations)))
    if error.resource:
        parts.append(
            details.ResourceInfo(
                resource_type=error.resource.kind, resource_name=error.resource.name, description=message
            )
        )
    if error.code is Code.RESOURCE_EXHAUSTED and error.reason is not Reason.OVERLOADED:
        subject = error.metadata.get("operation", "")
        parts.append(
            details.QuotaFailure(violations=[details.QuotaFailure.Violation(subject=subject, description=message)])
        )
    if error.reason in _PRECONDITION_TYPES:
        parts.append(
            details.PreconditionFailure(
                violations=[details.PreconditionFailure.Violation(type=error.reason, description=message)]
            )
        )
    if error.retry_after is not None:
        delay = Duration()
        delay.FromMilliseconds(max(1, round(error.retry_after * 1000)))
        parts.append(details.RetryInfo(retry_delay=delay))
    if error.help_url:
        parts.append(details.Help(links=[details.Help.Link(description=message, url=error.help_url)]))
    status = Status(code=grpc.StatusCode[error.code].value[0], message=message)
    for part in parts:
        status.details.add().Pack(part)
    return status


def _truncate_violations(violations: Sequence[FieldViolation]) -> Iterator[Any]:
    """Return as many violations, from the first on, as a response may hold."""
    left = _MAX_VIOLATIONS_BYTES
    for violation in violations:
        field = _cut(violation.field, _MAX_FIELD_BYTES)
        description = _cut(violation.description, _MAX_MESSAGE_BYTES)
        left -= len(field.encode()) + len(description.encode())
        if left < 0:
            return
        yield details.BadRequest.FieldViolation(field=field, description=description)


def _cut(text: str, size: int) -> str:
    """Return a text truncated to `size` bytes."""
    encoded = text.encode("utf-8", "replace")
    return text if len(encoded) <= size else encoded[: size - 3].decode("utf-8", "ignore") + "…"


def trailing_metadata(status: Status) -> tuple[tuple[str, str | bytes], ...]:
    """Return the trailing metadata that carry `status`."""
    return ((DETAILS_KEY, status.SerializeToString()), DO_NOT_RETRY)


def from_rpc_error(error: grpc.aio.AioRpcError, dependency: str) -> SellergateError:
    """Return the error of a failed call of `dependency`; a transport failure without a status gets the reason of its code."""
    for key, value in error.trailing_metadata() or ():
        if key == DETAILS_KEY and isinstance(value, bytes):
            parsed = from_bytes(value)
            if parsed is not None:
                return parsed
    reason = _TRANSPORT_REASONS.get(error.code(), Reason.INTERNAL)
    metadata = {"dependency": dependency}
    # A tuple of pairs: `in` looks for a key in gRPC's own class.
    if BEGUN in tuple(error.initial_metadata() or ()):
        metadata[BEGUN[0]] = BEGUN[1]
    elif error.code() is grpc.StatusCode.UNAVAILABLE and error.details() == _CLOSED_BY_SERVER:
        metadata[TURNED_AWAY] = "1"
    message = f"The {dependency} service did not complete the call ({error.code().name}): {error.details()}"
    retry_after = _TRANSPORT_RETRY_SECONDS if reason is Reason.DEPENDENCY_UNAVAILABLE else None
    return RULES[reason].error(message, reason=reason, metadata=metadata, retry_after=retry_after)


def from_bytes(encoded: bytes) -> SellergateError | None:
    """Decode a google.rpc.Status; return None when it is not Sellergate's."""
    try:
        return _from_status(Status.FromString(encoded))
    except DecodeError:  # of the status, or of one of its details
        return None


def _from_status(status: Status) -> SellergateError | None:
    """Return the error of a status; None when it is not Sellergate's. Raises DecodeError."""
    info = _first(status.details, details.ErrorInfo())
    if info is None or not info.domain.startswith(DOMAIN_PREFIX) or info.reason not in Reason.__members__:
        return None
    reason = Reason[info.reason]
    bad = _first(status.details, details.BadRequest())
    resource = _first(status.details, details.ResourceInfo())
    retry = _first(status.details, details.RetryInfo())
    links = _first(status.details, details.Help())
    return RULES[reason].error(
        status.message,
        reason=reason,
        metadata=info.metadata,
        domain=info.domain,
        violations=[FieldViolation(v.field, v.description) for v in bad.field_violations] if bad else (),
        resource=Resource(resource.resource_type, resource.resource_name) if resource else None,
        retry_after=retry.retry_delay.ToMilliseconds() / 1000 if retry else None,
        help_url=links.links[0].url if links and links.links else None,
    )


def _first(packed: Sequence[AnyMessage], into: _Detail) -> _Detail | None:
    """Unpack the first detail with the type of `into`."""
    return next((into for part in packed if part.Unpack(into)), None)
