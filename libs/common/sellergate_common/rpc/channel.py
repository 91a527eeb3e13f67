"""Channels to Sellergate's services, and the functions that call through them.

A channel balances round robin over all addresses of a name, uses the keepalive times that `server` accepts, and lets
gRPC retry a call after a transport failure where the contract marks the RPC as idempotent. A service's own errors are
never retried here (status.DO_NOT_RETRY), because the layer nearest the failure has done so.
"""

import asyncio
import json
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Sequence
from typing import Any, TypeVar

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions

from sellergate_common.context import REQUEST_ID, TRACEPARENT, current_call, time_left
from sellergate_common.errors import OutOfTime, Reason, SellergateError, Unavailable
from sellergate_common.identity.renewal import RenewedChannel
from sellergate_common.identity.tls import SERVER_NAME_SUFFIX, Identity
from sellergate_common.identity.users import to_metadata
from sellergate_common.observability.tracing import span, traceparent
from sellergate_common.rpc.probe import NO_PROXY
from sellergate_common.status import BEGUN, TURNED_AWAY, from_rpc_error
from sellergate_common.tasks import is_cancelled

MAX_MESSAGE_BYTES = 16 * 1024 * 1024
# The client's interval must suit the server's: the client pings every 30 s, the server accepts a ping every 10 s.
KEEPALIVE_MILLISECONDS = 30_000
KEEPALIVE_TIMEOUT_MILLISECONDS = 10_000
DEFAULT_SECONDS = 30.0
# A status, or gRPC's own error, such as that of a channel closed while the call began.
_CALL_FAILED = (grpc.aio.AioRpcError, grpc.aio.BaseError)

_Response = TypeVar("_Response")


def open_channel(
    target: str, service: str, identity: Identity, contracts: Sequence[ServiceDescriptor]
) -> grpc.aio.Channel:
    """Open a channel to `service` ("account") at `target` ("127.0.0.1:50051", "dns:///account:50051", "ipv4:a:1,b:2").

    `contracts` are the descriptors of the called services; their idempotency levels determine the retry policy.
    """
    options = [
        NO_PROXY,
        ("grpc.service_config", json.dumps(service_config(contracts))),
        ("grpc.ssl_target_name_override", service + SERVER_NAME_SUFFIX),
        ("grpc.default_authority", service + SERVER_NAME_SUFFIX),
        ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
        ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
        ("grpc.keepalive_time_ms", KEEPALIVE_MILLISECONDS),
        ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_MILLISECONDS),
        ("grpc.keepalive_permit_without_calls", 1),
        # gRPC's own pings, which measure the bandwidth, take the place of a keepalive ping, and have a minute by default.
        ("grpc.http2.ping_timeout_ms", KEEPALIVE_TIMEOUT_MILLISECONDS),
        ("grpc.initial_reconnect_backoff_ms", 100),
        # Despite its name, also the bound on a connection attempt, including TLS.
        ("grpc.min_reconnect_backoff_ms", 2_000),
        ("grpc.max_reconnect_backoff_ms", 1_000),
    ]

    def open_with(identity: Identity) -> grpc.aio.Channel:
        return grpc.aio.secure_channel(target, identity.channel_credentials(), options=options)

    # An identity that was not read from files cannot be renewed.
    return RenewedChannel(identity, open_with) if identity.files else open_with(identity)


def service_config(contracts: Sequence[ServiceDescriptor]) -> dict[str, Any]:
    """Return the gRPC service config: round robin, and retries of idempotent methods after transport failures."""
    names = [
        {"service": contract.full_name, "method": method.name}
        for contract in contracts
        for method in contract.methods
        if method.GetOptions().idempotency_level != MethodOptions.IDEMPOTENCY_UNKNOWN
    ]
    retry = {
        "maxAttempts": 3,
        "initialBackoff": "0.05s",
        "maxBackoff": "0.5s",
        "backoffMultiplier": 3,
        # CANCELLED: a server that shuts down sends it for calls that it has not begun.
        "retryableStatusCodes": ["UNAVAILABLE", "CANCELLED"],
    }
    config: dict[str, Any] = {"loadBalancingConfig": [{"round_robin": {}}]}
    if names:
        config["methodConfig"] = [{"name": names, "retryPolicy": retry}]
    return config


async def invoke(
    method: grpc.aio.UnaryUnaryMultiCallable[Any, _Response],
    request: Any,
    *,
    dependency: str,
    seconds: float | None = None,
    on_behalf_of: str = "",
) -> _Response:
    """Call `method` of `dependency` within the current call's deadline, or within `seconds` where that is sooner.

    Without either, the bound is 30 seconds. The call carries the request ID and trace context of the current call.
    Raises SellergateError for every failure.
    """
    left = time_left(DEFAULT_SECONDS if seconds is None else seconds)
    if seconds is not None:
        left = min(left, seconds)
    if left <= 0:
        raise OutOfTime(f"No time was left to call the {dependency} service; retry with a longer deadline.")
    with span(f"call {dependency}"):
        try:
            return await method(request, timeout=left, metadata=outgoing_metadata(on_behalf_of))
        except _CALL_FAILED as error:
            raise _to_error(error, dependency) from None


async def invoke_stream(
    method: grpc.aio.UnaryStreamMultiCallable[Any, _Response],
    request: Any,
    *,
    dependency: str,
    seconds: float,
    on_behalf_of: str = "",
) -> AsyncIterator[_Response]:
    """Call a streaming `method` and yield its responses. Raises SellergateError."""
    try:
        async for response in method(request, timeout=seconds, metadata=outgoing_metadata(on_behalf_of)):
            yield response
    except _CALL_FAILED as error:
        raise _to_error(error, dependency) from None


async def invoke_client_stream(
    method: grpc.aio.StreamUnaryMultiCallable[Any, _Response],
    requests: Iterable[Any] | AsyncIterable[Any],
    *,
    dependency: str,
    seconds: float,
) -> _Response:
    """Send all `requests` to a client-streaming `method`, and return its response.

    `requests` is iterated as the peer accepts messages. Raises SellergateError, and the errors of iterating `requests`.
    """
    failures, ends = list[Exception](), asyncio.get_running_loop().time() + seconds

    async def sent() -> AsyncIterator[Any]:
        try:
            if isinstance(requests, AsyncIterable):
                async for request in requests:
                    yield request
            else:
                for request in requests:
                    yield request
        except Exception as error:
            failures.append(error)
            raise

    try:
        return await method(sent(), timeout=seconds, metadata=outgoing_metadata())
    except asyncio.CancelledError:
        # gRPC cancels a call whose request iterator fails, as if the caller had been cancelled.
        if failures and not is_cancelled():
            raise failures.pop() from None  # released, because its traceback refers to this frame
        raise
    except _CALL_FAILED as error:
        late = asyncio.get_running_loop().time() >= ends
        raise _to_error(_by_deadline(error) if late else error, dependency) from None


def _by_deadline(error: Exception) -> Exception:
    """Return OutOfTime for a call whose deadline has passed: gRPC reports a write that the deadline ended as INTERNAL."""
    if not isinstance(error, grpc.aio.AioRpcError) or error.code() is not grpc.StatusCode.INTERNAL:
        return error
    trailing = error.trailing_metadata()
    if any(key == "grpc-status-details-bin" for key, _ in trailing or ()):
        return error  # a service's own error
    words = "The deadline passed while requests were sent; retry with a longer deadline."
    return grpc.aio.AioRpcError(grpc.StatusCode.DEADLINE_EXCEEDED, error.initial_metadata(), trailing, words)


def _to_error(error: Exception, dependency: str) -> SellergateError:
    if isinstance(error, grpc.aio.AioRpcError):
        return from_rpc_error(error, dependency)
    return Unavailable(
        f"The {dependency} service was not called: its channel was closed. Try again.",
        metadata={"dependency": dependency},
        retry_after=1.0,
    )


def outgoing_metadata(on_behalf_of: str = "") -> tuple[tuple[str, str | bytes], ...]:
    """Return the metadata of an outgoing call. Raises InvalidRequest for an invalid user ID."""
    metadata: list[tuple[str, str | bytes]] = []
    call = current_call()
    if call is not None:
        metadata.append((REQUEST_ID, call.request_id))
        trace = traceparent()
        if trace:
            metadata.append((TRACEPARENT, trace))
    if on_behalf_of:
        metadata.append(to_metadata(on_behalf_of))
    return tuple(metadata)


def is_transport_failure(error: SellergateError) -> bool:
    """Return whether the transport failed after the call was sent, so that the service may or may not have executed it."""
    return (
        not error.domain
        and "dependency" in error.metadata
        and error.reason
        in (
            Reason.DEPENDENCY_UNAVAILABLE,
            Reason.DEADLINE_EXCEEDED,
            Reason.INTERNAL,
            Reason.CANCELLED,
        )
    )


def was_rejected(error: SellergateError) -> bool:
    """Return whether a server that shuts down rejected the call before it began, for methods that announce BEGUN."""
    if error.domain or BEGUN[0] in error.metadata:
        return False
    return error.reason is Reason.CANCELLED or TURNED_AWAY in error.metadata
