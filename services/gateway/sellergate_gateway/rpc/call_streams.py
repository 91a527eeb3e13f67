"""StreamCalls: many calls over one stream, each with its own id, deadline, log line, metrics and typed error.

A call of a stream does not run inside the layers around RPCs, which cost more than its two messages. It has the caller that they
identified for the stream, and everything else that they do for a Call in one pass, by the same functions.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import grpc
from sellergate.gateway.v1 import call_pb2
from sellergate.gateway.v1 import gateway_service_pb2 as pb2
from sellergate_common.context import CallContext, bind_named, current_call, use_context
from sellergate_common.errors import InvalidRequest, Reason, SellergateError
from sellergate_common.observability.logs import log_call
from sellergate_common.observability.telemetry import RpcMetrics
from sellergate_common.observability.tracing import server_span, traceparent
from sellergate_common.rpc.deadlines import STREAM_SECONDS, UNARY_SECONDS, within_deadline
from sellergate_common.rpc.interceptors import is_request_id, request_id_of, typed_error
from sellergate_common.rpc.request_bytes import RequestParser, text_on_wire
from sellergate_common.rpc.validation import validate
from sellergate_common.status import BEGUN, to_status
from sellergate_common.tasks import END_SECONDS, end

MAX_CALLS_OF_STREAM = 256
"""Calls in progress on one stream, those included whose response is not sent yet. No further request is read meanwhile."""
MAX_REQUEST_BYTES_OF_STREAM = 64 * 1024 * 1024
"""Bytes of the requests in progress on one stream from which on no further request is read."""
LINGER_SECONDS = 2.0
"""Time for a client to end its side after `closing` and the last response."""
_SERVICE, _RPC = "gateway", pb2.DESCRIPTOR.services_by_name["GatewayService"].full_name
_CALL = f"{_RPC}/Call"
"""The method under which calls of streams are logged, counted and traced: that of the same calls without a stream."""
_parse = RequestParser(f"{_RPC}/StreamCalls", pb2.StreamCallsRequest.FromString)

Respond = Callable[[call_pb2.CallRequest, call_pb2.CallResponse], Coroutine[Any, Any, None]]
"""Makes a call and writes Amazon's response into the message. Raises SellergateError."""


@dataclass(frozen=True, slots=True)
class Serving:
    """The server of streams. A stream closes when `draining` is set, or after `seconds`."""

    metrics: RpcMetrics
    draining: asyncio.Event
    seconds: float


@dataclass(frozen=True, slots=True)
class CallStreams:
    """The streams of calls of one server."""

    respond: Respond
    serving: Serving

    async def serve(self, context: Any) -> None:
        """Serve a stream to its end; a cancellation cancels its calls."""
        await _CallStream(self, context).serve()


class _CallStream:
    """One stream: a task that reads requests, a task for each call, and the writer of responses."""

    def __init__(self, streams: CallStreams, context: Any) -> None:
        self._make, self._serving = streams.respond, streams.serving
        self._context = context
        self._call = current_call() or CallContext(_CALL, "")
        self._tasks: set[asyncio.Task[None]] = set()
        self._finished: asyncio.Queue[tuple[pb2.StreamCallsResponse | None, int]] = asyncio.Queue()
        self._has_room = asyncio.Event()
        self._closed = False
        self._received = 0
        self._in_progress = 0
        self._bytes = 0

    async def serve(self) -> None:
        await self._context.send_initial_metadata((BEGUN,))
        closing, reader = asyncio.create_task(self._close_when_due()), asyncio.create_task(self._read())
        reader.add_done_callback(lambda _: self._finished.put_nowait((None, 0)))
        try:
            while self._in_progress or not self._finished.empty() or not (reader.done() or self._closed):
                response, size = await self._finished.get()
                if response is None:
                    continue
                await self._context.write(response)
                if size:
                    self._in_progress -= 1
                    self._bytes -= size
                    self._has_room.set()
                # A response may have 16 MB: only the message holds it while it is sent, and nothing while the next one comes.
                del response
            # A client of grpc.aio that is still writing when a stream ends loses the responses that it has not read.
            await asyncio.wait({reader}, timeout=LINGER_SECONDS)
            if reader.done():
                reader.result()
        finally:
            for task in self._tasks:
                task.cancel()
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=END_SECONDS)
            await end(closing)
            await end(reader)

    async def _close_when_due(self) -> None:
        """Announce that no further call begins, when the server drains or the stream is old."""
        with suppress(TimeoutError):
            async with asyncio.timeout(min(self._serving.seconds, self._seconds_left())):
                await self._serving.draining.wait()
        self._closed = True
        self._has_room.set()
        message = pb2.StreamCallsResponse(closing=pb2.StreamClosing(received=self._received))
        self._finished.put_nowait((message, 0))

    async def _read(self) -> None:
        """Begin a call for each request until the client ends its side; requests that come after `closing` are dropped."""
        create, tasks = asyncio.get_running_loop().create_task, self._tasks
        while True:
            while not self._closed and self._is_full():
                self._has_room.clear()
                await self._has_room.wait()
            raw = await self._context.read()
            if raw is grpc.aio.EOF:
                return
            if self._closed:
                continue
            self._received += 1
            self._in_progress += 1
            self._bytes += len(raw) or 1
            task = create(self._serve_call(raw))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    def _is_full(self) -> bool:
        return self._in_progress >= MAX_CALLS_OF_STREAM or self._bytes >= MAX_REQUEST_BYTES_OF_STREAM

    async def _serve_call(self, raw: bytes) -> None:
        """Make one call, and leave its response or error to the writer."""
        size, response, metrics = len(raw) or 1, pb2.StreamCallsResponse(), self._serving.metrics
        call = CallContext(_CALL, request_id_of(""), self._call.traceparent, self._call.caller)
        metrics.in_flight += 1
        with use_context(call):
            try:
                request = _parsed(raw, response)
                raw = b""
                await self._respond(call, request, response)
            except (asyncio.CancelledError, grpc.aio.InternalError):
                call.reason = Reason.CANCELLED
                raise
            except Exception as raised:  # noqa: BLE001  (as in the layers around RPCs: nothing else may reach the caller)
                _set_error(response, typed_error(raised, call), call)
            finally:
                metrics.in_flight -= 1
                seconds = time.monotonic() - call.started
                metrics.observe(_CALL, call.reason or "OK", seconds)
                log_call("info", call, seconds * 1000)
        self._finished.put_nowait((response, size))

    async def _respond(
        self, call: CallContext, request: pb2.StreamCallsRequest, response: pb2.StreamCallsResponse
    ) -> None:
        call.request_id = request_id_of(request.request_id)
        with server_span(_CALL, call.traceparent, request_id=call.request_id) as traced:
            call.traceparent = traceparent()
            try:
                validate(request)
                bind_named(request.call.account_id)
                body = partial(self._make, request.call, response.response)
                await within_deadline(call, _seconds(request, self._seconds_left()), body, streams=False)
            except SellergateError as error:
                call.reason = error.reason
                raise
            finally:
                traced.set_attribute("reason", call.reason or "OK")

    def _seconds_left(self) -> float:
        """Return the seconds until the deadline of the stream, not that of the current call."""
        deadline = self._call.deadline
        return STREAM_SECONDS if deadline is None else max(0.0, deadline - time.monotonic())


def _parsed(raw: bytes, response: pb2.StreamCallsResponse) -> pb2.StreamCallsRequest:
    """Return a request, and name it in its response. Raises InvalidRequest."""
    try:
        request: Any = _parse(raw)
    except InvalidRequest:
        given = text_on_wire(raw, pb2.StreamCallsRequest.REQUEST_ID_FIELD_NUMBER)
        response.request_id = given if is_request_id(given) else ""
        raise
    response.request_id = request.request_id
    return request  # type: ignore[no-any-return]


def _seconds(request: pb2.StreamCallsRequest, left: float) -> float | None:
    """Return the seconds that a call is given; None for the default of a Call."""
    if request.HasField("timeout"):
        return min(left, request.timeout.ToMilliseconds() / 1000)
    return None if left > UNARY_SECONDS else left


def _set_error(response: pb2.StreamCallsResponse, error: SellergateError, call: CallContext) -> None:
    call.reason = error.reason
    status = to_status(error, _SERVICE)
    response.error.code, response.error.message = status.code, status.message
    response.error.details.extend(status.details)
