"""The layers around every RPC, in one fixed order.

From the outside in: request id, log, metrics, errors, identity, parsing, deadline, validation, and admission where it is set. A
layer is a coroutine that awaits the next inner one, for unary and streaming calls;
tests/unit/common/rpc/test_interceptors.py asserts the order. Requests arrive as bytes, so that no message of an
unauthorized caller is parsed.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import aclosing, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf.message import Message

from sellergate_common.context import (
    REQUEST_ID,
    TRACEPARENT,
    CallContext,
    bind_named,
    new_request_id,
    trace_context,
    until_deadline,
    use_context,
)
from sellergate_common.errors import InternalError, Reason, SellergateError, Unimplemented
from sellergate_common.identity.policy import Access, identify
from sellergate_common.identity.users import ON_BEHALF_OF, ON_BEHALF_OF_BYTES, from_metadata
from sellergate_common.observability.logs import get_logger, log_call
from sellergate_common.observability.redaction import redact_text
from sellergate_common.observability.telemetry import RpcMetrics
from sellergate_common.observability.tracing import server_span, traceparent
from sellergate_common.rpc.admission import Admission
from sellergate_common.rpc.deadlines import UNARY_SECONDS, within_deadline
from sellergate_common.rpc.request_bytes import RequestParser
from sellergate_common.rpc.validation import validate
from sellergate_common.status import to_status, trailing_metadata

if TYPE_CHECKING:
    _Handler = grpc.RpcMethodHandler[Any, Any]  # generic only in type hints

# The TLS property with the URIs among a peer certificate's alternative names (grpc_security_constants.h). Its other
# names do not count as an identity, even if they look like one: an authority may let clients choose host names.
_URIS = "peer_uri"
# The metadata of a call that the layers read.
_READ = frozenset({REQUEST_ID, TRACEPARENT, ON_BEHALF_OF})
DRAIN_SECONDS = 1.0
_REQUEST_ID_SHAPE = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(slots=True)
class Rpc:
    """One call in the layers."""

    context: grpc.aio.ServicerContext[Any, Any]
    call: CallContext
    metadata: dict[str, list[str]]
    streams: bool
    request: Message | None
    """The request; None before it is parsed, and for a stream."""
    raw: bytes | None = None
    parse: Callable[[bytes], Message] | None = None
    uploads: bool = False
    """Whether the client sends a stream of requests."""


Inside = Callable[[Rpc], Coroutine[Any, Any, Any]]
Layer = Callable[[Inside, Rpc], Coroutine[Any, Any, Any]]


class Interceptors:
    """The layers of one server."""

    def __init__(
        self,
        service: str,
        access: Access,
        metrics: RpcMetrics,
        admission: Admission | None = None,
        polls: frozenset[str] = frozenset(),
    ) -> None:
        self._service = service
        self._polls = polls
        self._access = access
        self._metrics = metrics
        self.order: tuple[Layer, ...] = (
            self.request_id,
            self.log,
            self.metrics,
            self.errors,
            self.identity,
            self.parsing,
            self.deadline,
            self.validation,
        )
        if admission is not None:
            self.order = (*self.order, partial(_admit, admission, polls))

    def wrap(self, body: Inside) -> Inside:
        """Return a coroutine that runs `body` inside all layers."""
        for layer in reversed(self.order):
            body = partial(layer, body)
        return body

    async def request_id(self, inside: Inside, rpc: Rpc) -> Any:
        """Set the call's request ID: the caller's, if it is well-formed, or a new one."""
        rpc.call.request_id = request_id_of(rpc.metadata.get(REQUEST_ID, [""])[0])
        rpc.call.traceparent = trace_context(rpc.metadata.get(TRACEPARENT, [""])[0])
        with (
            use_context(rpc.call),
            server_span(rpc.call.method, rpc.call.traceparent, request_id=rpc.call.request_id) as traced,
        ):
            rpc.call.traceparent = traceparent()
            try:
                return await inside(rpc)
            finally:
                traced.set_attribute("reason", rpc.call.reason or "OK")

    async def log(self, inside: Inside, rpc: Rpc) -> Any:
        """Log each call once, at its end; health checks and successful polls only at debug."""
        try:
            return await inside(rpc)
        finally:
            is_poll = rpc.call.method in self._polls and not rpc.call.reason
            level = "debug" if is_poll or rpc.call.method.startswith("grpc.") else "info"
            log_call(level, rpc.call, (time.monotonic() - rpc.call.started) * 1000)

    async def metrics(self, inside: Inside, rpc: Rpc) -> Any:
        """Count and time each call."""
        self._metrics.in_flight += 1
        try:
            return await inside(rpc)
        finally:
            self._metrics.in_flight -= 1
            self._metrics.observe(rpc.call.method, rpc.call.reason or "OK", time.monotonic() - rpc.call.started)

    async def errors(self, inside: Inside, rpc: Rpc) -> Any:
        """Convert every exception into one status with a reason; a bug is logged, and its response shows no details."""
        try:
            return await inside(rpc)
        except grpc.aio.AbortError:
            raise
        except grpc.aio.InternalError:
            rpc.call.reason = Reason.CANCELLED
            raise asyncio.CancelledError from None  # the call ended while a response was written: no client reads it
        except asyncio.CancelledError:
            rpc.call.reason = Reason.CANCELLED
            raise
        except Exception as raised:  # noqa: BLE001  (the last resort: nothing else may reach the caller)
            await self._abort(rpc, typed_error(raised, rpc.call))

    async def identity(self, inside: Inside, rpc: Rpc) -> Any:
        """Identify the caller and check that it may call. Raises Unauthenticated, NotAllowed."""
        rpc.call.caller = identify(self._access, rpc.call.method, _names(rpc.context), rpc.metadata)
        return await inside(rpc)

    async def parsing(self, inside: Inside, rpc: Rpc) -> Any:
        """Parse the request within its bounds; in a stream, parse each message on arrival."""
        if rpc.raw is not None and rpc.parse is not None:
            rpc.request, rpc.raw = rpc.parse(rpc.raw), None
        return await inside(rpc)

    async def deadline(self, inside: Inside, rpc: Rpc) -> Any:
        """Enforce the call's deadline."""
        return await within_deadline(rpc.call, rpc.context.time_remaining(), partial(inside, rpc), streams=rpc.streams)

    async def validation(self, inside: Inside, rpc: Rpc) -> Any:
        """Check the request's shape; in a stream, check each message on arrival."""
        if rpc.request is not None:
            validate(rpc.request)
            bind_named(getattr(rpc.request, "account_id", ""))
        return await inside(rpc)

    async def _abort(self, rpc: Rpc, error: SellergateError) -> None:
        rpc.call.reason = error.reason
        status = to_status(error, self._service)
        if rpc.uploads:
            await _drain(rpc.context)
        try:
            await rpc.context.abort(grpc.StatusCode[error.code], status.message, trailing_metadata(status))
        except grpc.aio.InternalError:
            # The client's deadline ended the call first. gRPC would log this error at level error, and a cancellation at debug.
            raise asyncio.CancelledError from None


def request_id_of(given: str) -> str:
    """Return the request ID that the caller gave, redacted, or a new one if it is not well-formed."""
    return redact_text(given) if is_request_id(given) else new_request_id()


def is_request_id(given: str) -> bool:
    """Return whether a text is a well-formed request ID."""
    return _REQUEST_ID_SHAPE.fullmatch(given) is not None


def typed_error(raised: Exception, call: CallContext) -> SellergateError:
    """Return the error that the caller gets for an exception; a bug is logged, and its error shows no details."""
    if isinstance(raised, SellergateError):
        return raised
    if isinstance(raised, NotImplementedError):
        return Unimplemented(f"{call.method} is not implemented in this release; update the service.")
    get_logger().error("bug", method=call.method, exc_info=True)
    return InternalError.of_bug(call.request_id)


async def _admit(admission: Admission, polls: frozenset[str], inside: Inside, rpc: Rpc) -> Any:
    """Admit a unary call of Sellergate's contracts; streams, health checks and polls need no admission."""
    if rpc.streams or rpc.call.method in polls or not rpc.call.method.startswith("sellergate."):
        return await inside(rpc)
    ticket = admission.issue_ticket(until_deadline(UNARY_SECONDS))
    try:  # without the context managers of `admit`, which every call would pay for
        await ticket.wait_for_turn()
        return await inside(rpc)
    finally:
        ticket.end()


class InterceptedServer:
    """A server for generated code that registers handlers with `server` inside the layers.

    A gRPC interceptor would do the same, but would look up the handler for every call.
    """

    def __init__(self, server: grpc.aio.Server, interceptors: Interceptors) -> None:
        self._server = server
        self._interceptors = interceptors

    def add_generic_rpc_handlers(self, handlers: Iterable[grpc.GenericRpcHandler]) -> None:
        """Register handlers, each inside the layers."""
        self._server.add_generic_rpc_handlers(
            [_InterceptedHandler(handler, self._interceptors) for handler in handlers]
        )

    def add_registered_method_handlers(self, service: str, handlers: object) -> None:
        """Do nothing, as servers of grpc.aio do."""


class _InterceptedHandler(grpc.GenericRpcHandler):
    """The handlers of one service inside the layers; each is wrapped once."""

    def __init__(self, handlers: grpc.GenericRpcHandler, interceptors: Interceptors) -> None:
        self._handlers = handlers
        self._interceptors = interceptors
        self._wrapped: dict[str, _Handler] = {}

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "_Handler | None":
        """Return the handler of a method; None for a method of another service."""
        method = handler_call_details.method
        found = self._wrapped.get(method)
        if found is None:
            handler = self._handlers.service(handler_call_details)
            if handler is not None:  # the caller chooses names of unknown methods, so they are not cached
                found = self._wrapped[method] = _wrap(handler, method.lstrip("/"), self._interceptors)
        return found


def _names(context: Any) -> Iterable[bytes]:
    """Return the URIs in the caller's certificate; none for a certificate with only other names."""
    names: Iterable[bytes] = context.auth_context().get(_URIS, ())
    return names


def _wrap(handler: Any, method: str, interceptors: Interceptors) -> Any:
    """Return `handler` wrapped in the layers."""
    inner = handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream
    streams = handler.request_streaming or handler.response_streaming
    parse = RequestParser(method, handler.request_deserializer)

    def rpc_of(request: Any, context: Any) -> Rpc:
        metadata, call = _metadata_of(context), CallContext(method=method, request_id="")
        raw = None if handler.request_streaming else request
        return Rpc(context, call, metadata, streams, None, raw, parse, handler.request_streaming)

    def respond(request: Any, rpc: Rpc) -> Any:
        return inner(request, rpc.context)

    async def stream(request: Any, rpc: Rpc) -> None:
        responses = inner(request, rpc.context)
        if not hasattr(responses, "__aiter__"):
            await responses  # a coroutine that writes to the context itself, such as grpc.health's Watch
            return
        async with aclosing(responses):
            async for response in responses:
                await rpc.context.write(response)

    body = stream if handler.response_streaming else respond
    # With a single request, the chain of layers is built once, not for each call.
    chain = None if handler.request_streaming else interceptors.wrap(lambda rpc: body(rpc.request, rpc))

    async def run(request: Any, context: Any) -> Any:
        inside = chain or interceptors.wrap(partial(body, _validate_each(request, parse)))
        rpc = rpc_of(request, context)
        try:
            return await inside(rpc)
        except grpc.aio.AbortError as aborted:
            # gRPC keeps this error with the call. Its traceback would keep the frames' objects, such as bodies of
            # megabytes, until a garbage collection.
            del request, context, rpc, inside
            aborted.__context__ = None
            raise aborted.with_traceback(None) from None

    make = {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, False): grpc.stream_unary_rpc_method_handler,
        (True, True): grpc.stream_stream_rpc_method_handler,
    }[handler.request_streaming, handler.response_streaming]
    return make(run, request_deserializer=None, response_serializer=handler.response_serializer)


def _metadata_of(context: Any) -> dict[str, list[str]]:
    """Return the metadata of a call that the layers read."""
    metadata: dict[str, list[str]] = {}
    for key, value in context.invocation_metadata() or ():
        if key in _READ and isinstance(value, str):
            metadata.setdefault(key, []).append(value)
        elif key == ON_BEHALF_OF_BYTES:
            text = from_metadata(value) if isinstance(value, bytes) else value
            metadata.setdefault(ON_BEHALF_OF, []).append(text)
    return metadata


async def _drain(context: Any) -> None:
    """Read remaining requests for a moment: grpc.aio clients that write when a stream ends would miss its status."""
    with suppress(TimeoutError):
        async with asyncio.timeout(DRAIN_SECONDS):
            while await context.read() is not grpc.aio.EOF:
                pass


async def _validate_each(requests: AsyncIterator[bytes], parse: Callable[[bytes], Message]) -> AsyncIterator[Message]:
    async for raw in requests:
        request = parse(raw)
        validate(request)
        yield request
