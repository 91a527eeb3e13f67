"""The layers around every RPC, in one fixed order.

From the outside in: request id, log, metrics, errors, identity, deadline, validation. A layer is an asynchronous
context manager, so that it serves unary and streaming calls alike; tests/unit/test_interceptors.py asserts the order.
"""

import asyncio
import re
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf.message import Message

from sellergate_common.context import REQUEST_ID, TRACEPARENT, CallContext, serving
from sellergate_common.deadlines import deadline_layer
from sellergate_common.errors import InternalError, Reason, SellergateError, Unimplemented
from sellergate_common.fields import validate
from sellergate_common.identity import Access, identify
from sellergate_common.logs import get_logger
from sellergate_common.status import to_status, trailing_metadata
from sellergate_common.telemetry import RpcMetrics

if TYPE_CHECKING:
    _Handler = grpc.RpcMethodHandler[Any, Any]  # generic in its types only

_REQUEST_ID_SHAPE = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(slots=True)
class Rpc:
    """One call as the layers see it."""

    context: grpc.aio.ServicerContext[Any, Any]
    call: CallContext
    metadata: dict[str, list[str]]
    streams: bool
    request: Message | None


Layer = Callable[[Rpc], Any]


class Layers:
    """The layers of one server."""

    def __init__(self, service: str, access: Access, metrics: RpcMetrics) -> None:
        self._service = service
        self._access = access
        self._metrics = metrics
        self.order: tuple[Layer, ...] = (
            self.request_id,
            self.log,
            self.metrics,
            self.errors,
            self.identity,
            self.deadline,
            self.validation,
        )

    @asynccontextmanager
    async def request_id(self, rpc: Rpc) -> AsyncIterator[None]:
        """Give the call an id: the caller's, where it has the shape of one."""
        given = rpc.metadata.get(REQUEST_ID, [""])[0]
        rpc.call.request_id = given if _REQUEST_ID_SHAPE.fullmatch(given) else uuid.uuid4().hex
        rpc.call.traceparent = rpc.metadata.get(TRACEPARENT, [""])[0]
        with serving(rpc.call):
            yield

    @asynccontextmanager
    async def log(self, rpc: Rpc) -> AsyncIterator[None]:
        """Log each call once, when it is over; health checks only at debug."""
        try:
            yield
        finally:
            quiet = rpc.call.method.startswith("grpc.")
            write = get_logger().debug if quiet else get_logger().info
            write(
                "rpc",
                method=rpc.call.method,
                reason=rpc.call.reason or "OK",
                caller=rpc.call.caller.identity,
                milliseconds=round((time.monotonic() - rpc.call.started) * 1000, 2),
            )

    @asynccontextmanager
    async def metrics(self, rpc: Rpc) -> AsyncIterator[None]:
        """Count and time each call."""
        self._metrics.in_flight.inc()
        try:
            yield
        finally:
            self._metrics.in_flight.dec()
            self._metrics.handled.labels(rpc.call.method, rpc.call.reason or "OK").inc()
            self._metrics.seconds.labels(rpc.call.method).observe(time.monotonic() - rpc.call.started)

    @asynccontextmanager
    async def errors(self, rpc: Rpc) -> AsyncIterator[None]:
        """Turn whatever is raised inside into one status with a reason; a bug is logged and stays opaque."""
        try:
            yield
        except SellergateError as error:
            await self._abort(rpc, error)
        except NotImplementedError:
            await self._abort(rpc, Unimplemented(f"{rpc.call.method} is in the contract and not built yet."))
        except grpc.aio.AbortError:
            raise
        except asyncio.CancelledError:
            rpc.call.reason = Reason.CANCELLED
            raise
        except Exception:  # noqa: BLE001  (the last resort: nothing else may reach the caller)
            get_logger().error("bug", method=rpc.call.method, exc_info=True)
            message = f"Something is wrong on our side; the log has it under request id {rpc.call.request_id}."
            await self._abort(rpc, InternalError(message, metadata={"request_id": rpc.call.request_id}))

    @asynccontextmanager
    async def identity(self, rpc: Rpc) -> AsyncIterator[None]:
        """Find out who calls and whether it may."""
        rpc.call.caller = identify(self._access, rpc.call.method, rpc.context.auth_context(), rpc.metadata)
        yield

    @asynccontextmanager
    async def deadline(self, rpc: Rpc) -> AsyncIterator[None]:
        """Bound the call in time."""
        async with deadline_layer(rpc.call, rpc.context.time_remaining(), streams=rpc.streams):
            yield

    @asynccontextmanager
    async def validation(self, rpc: Rpc) -> AsyncIterator[None]:
        """Check the request's shape; of a stream, every message is checked as it comes."""
        if rpc.request is not None:
            validate(rpc.request)
        yield

    async def _abort(self, rpc: Rpc, error: SellergateError) -> None:
        rpc.call.reason = error.reason
        status = to_status(error, self._service)
        await rpc.context.abort(grpc.StatusCode[error.code], error.message, trailing_metadata(status))


class LayersInterceptor(grpc.aio.ServerInterceptor):
    """Puts the layers around every handler of a server."""

    def __init__(self, layers: Layers) -> None:
        self._layers = layers
        self._wrapped: dict[str, _Handler] = {}

    async def intercept_service(
        self,
        continuation: "Callable[[grpc.HandlerCallDetails], Awaitable[_Handler | None]]",
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "_Handler | None":
        """Return the wrapped handler of the method, made once."""
        method = handler_call_details.method
        if method not in self._wrapped:
            handler = await continuation(handler_call_details)
            if handler is None:  # an unknown method: gRPC answers UNIMPLEMENTED; not remembered, names are the caller's
                return handler
            self._wrapped[method] = _wrap(handler, method.lstrip("/"), self._layers)
        return self._wrapped[method]


def _wrap(handler: Any, method: str, layers: Layers) -> Any:
    """Rebuild `handler` so that it runs inside the layers."""
    inner = handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream
    request_streams, response_streams = handler.request_streaming, handler.response_streaming

    def rpc_of(request: Any, context: Any) -> Rpc:
        metadata: dict[str, list[str]] = {}
        for key, value in context.invocation_metadata() or ():
            if isinstance(value, str):
                metadata.setdefault(key, []).append(value)
        call = CallContext(method=method, request_id="")
        streams = request_streams or response_streams
        return Rpc(context, call, metadata, streams, None if request_streams else request)

    async def enter(stack: AsyncExitStack, rpc: Rpc) -> None:
        for layer in layers.order:
            await stack.enter_async_context(layer(rpc))

    async def unary(request: Any, context: Any) -> Any:
        async with AsyncExitStack() as stack:
            await enter(stack, rpc_of(request, context))
            return await inner(_validated(request) if request_streams else request, context)

    async def stream(request: Any, context: Any) -> AsyncIterator[Any]:
        async with AsyncExitStack() as stack:
            await enter(stack, rpc_of(request, context))
            answers = inner(_validated(request) if request_streams else request, context)
            if not hasattr(answers, "__aiter__"):
                await answers  # a coroutine that writes to the context itself, as grpc.health's Watch does
                return
            async for answer in answers:
                yield answer

    make = {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, False): grpc.stream_unary_rpc_method_handler,
        (True, True): grpc.stream_stream_rpc_method_handler,
    }[request_streams, response_streams]
    return make(
        stream if response_streams else unary,
        request_deserializer=handler.request_deserializer,
        response_serializer=handler.response_serializer,
    )


async def _validated(requests: AsyncIterator[Message]) -> AsyncIterator[Message]:
    async for request in requests:
        validate(request)
        yield request
