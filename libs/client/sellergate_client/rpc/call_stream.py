"""Calls over one stream (GatewayService.StreamCalls), which is opened again when it ended."""

import asyncio
import itertools
import secrets
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import grpc
from sellergate.gateway.v1 import call_pb2, gateway_service_pb2
from sellergate_common.errors import OutOfTime, SellergateError, Unavailable
from sellergate_common.rpc.channel import outgoing_metadata
from sellergate_common.status import BEGUN, DETAILS_KEY, from_rpc_error
from sellergate_common.tasks import end, is_cancelled

from sellergate_client.rpc.outcomes import connect_channel
from sellergate_client.rpc.requests import SerializedCall, length_delimited

STREAM_SECONDS = 3600.0
OPEN_SECONDS = 5.0
_SERVICE = "gateway"
_STREAM_CALLS = "/sellergate.gateway.v1.GatewayService/StreamCalls"
_CALL_FIELD = gateway_service_pb2.StreamCallsRequest.CALL_FIELD_NUMBER


class StreamBroken(Exception):
    """A stream that ended, or a time that was over, before a call had its response.

    `error` is what the caller gets unless the call is made again. `sent`: the gateway may have begun the call.
    """

    def __init__(self, error: SellergateError, *, sent: bool) -> None:
        super().__init__(error.message)
        self.error = error
        self.sent = sent


@dataclass(slots=True, eq=False)
class _Waiter:
    """A call that waits for its response. `number` counts the requests of its stream in the order of sending; 0: not sent."""

    request: bytes
    response: "asyncio.Future[call_pb2.CallResponse]" = field(default_factory=asyncio.Future)
    number: int = 0


class CallStream:
    """Calls over a stream of a channel. Close it at the end: that cancels the calls in progress."""

    def __init__(self, channel: grpc.aio.Channel, on_behalf_of: str = "") -> None:
        self._channel = channel
        self._method: Any = channel.stream_stream(
            _STREAM_CALLS, response_deserializer=gateway_service_pb2.StreamCallsResponse.FromString
        )
        self._on_behalf_of = on_behalf_of
        self._prefix, self._numbers = secrets.token_hex(8), itertools.count(1)
        self._opening = asyncio.Lock()
        self._session: _Session | None = None
        self._sessions = set[_Session]()

    async def call(self, request: SerializedCall, seconds: float) -> call_pb2.CallResponse:
        """Make a call within `seconds` and return Amazon's response. Raises its SellergateError, and StreamBroken."""
        session, request_id = None, f"{self._prefix}-{next(self._numbers)}"
        waiter = _Waiter(b"")
        try:
            loop = asyncio.get_running_loop()
            ends = loop.time() + seconds
            async with asyncio.timeout(seconds):
                session = await self._open()
                waiter.request = _request(request_id, request, ends - loop.time())
                return await session.call(request_id, waiter)
        except TimeoutError:
            if session is not None and waiter.number:
                session.retire()  # a gateway that had responded would have ended the call in time
            raise StreamBroken(_late(sent=waiter.number > 0), sent=waiter.number > 0) from None

    async def close(self) -> None:
        """End all streams."""
        for session in list(self._sessions):
            await session.close()

    async def _open(self) -> "_Session":
        async with self._opening:
            if self._session is None or self._session.retired:
                self._sessions = {session for session in self._sessions if not session.ended}
                self._session = await self._connect()
                self._sessions.add(self._session)
            return self._session

    async def _connect(self) -> "_Session":
        """Open a stream. Raises StreamBroken; SellergateError where the gateway refuses its caller."""
        stream = None
        try:
            await connect_channel(self._channel, _SERVICE, OPEN_SECONDS)
            stream = self._method(timeout=STREAM_SECONDS, metadata=outgoing_metadata(self._on_behalf_of))
            async with asyncio.timeout(OPEN_SECONDS):
                await _begun(stream)
        except Unavailable as nothing_connected:
            raise StreamBroken(nothing_connected, sent=False) from None
        except grpc.aio.AioRpcError as failure:
            refusal = from_rpc_error(failure, _SERVICE)
            if refusal.domain:
                raise refusal from None
            raise StreamBroken(refusal, sent=False) from None
        except (TimeoutError, grpc.aio.BaseError):
            _cancel(stream)
            raise StreamBroken(_unavailable("The gateway did not begin a stream in time"), sent=False) from None
        except BaseException:
            _cancel(stream)
            raise
        return _Session(stream)


async def _begun(stream: Any) -> None:
    """Wait until the gateway has begun a stream. Raises the stream's own error, and StreamBroken.

    No request is sent before: whatever ends the stream until then has begun nothing.
    """
    if BEGUN not in tuple(await stream.initial_metadata() or ()):
        await stream.read()
        raise StreamBroken(_unavailable("The gateway ended a stream before it began"), sent=False)


def _cancel(stream: Any) -> None:
    if stream is not None:
        stream.cancel()


class _Session:
    """One stream: a writer of requests, a reader of responses, and the calls that wait for them."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._waiters: dict[str, _Waiter] = {}
        self._unsent: asyncio.Queue[_Waiter | None] = asyncio.Queue()
        self._sent = 0
        self.retired = False
        """Whether it takes no further call; those in progress still get their responses."""
        self._writer = asyncio.create_task(self._write())
        self._reader = asyncio.create_task(self._read())

    @property
    def ended(self) -> bool:
        """Whether the stream is over."""
        return self._reader.done()

    async def call(self, request_id: str, waiter: _Waiter) -> call_pb2.CallResponse:
        """Send a request and return its response."""
        if self.retired:
            raise StreamBroken(_unavailable("The stream ended"), sent=False)
        self._waiters[request_id] = waiter
        self._unsent.put_nowait(waiter)
        try:
            return await waiter.response
        finally:
            self._waiters.pop(request_id, None)

    def retire(self) -> None:
        """Take no further call."""
        self.retired = True
        self._unsent.put_nowait(None)

    async def close(self) -> None:
        """End the stream; the gateway cancels its calls."""
        self.retire()
        self._stream.cancel()
        await end(self._writer)
        await end(self._reader)

    async def _write(self) -> None:
        # A cancelled write would cancel the stream: the writer ends by itself, at None or at an error of the stream.
        with suppress(grpc.aio.BaseError, grpc.aio.AioRpcError, asyncio.InvalidStateError):
            while (waiter := await self._unsent.get()) is not None:
                if waiter.response.done():
                    continue
                self._sent += 1
                waiter.number = self._sent
                await self._stream.write(waiter.request)
                waiter.request = b""
            await self._stream.done_writing()

    async def _read(self) -> None:
        error: SellergateError = _unavailable("The stream ended")
        try:
            while (response := await self._stream.read()) is not grpc.aio.EOF:
                if response.WhichOneof("result") == "closing":
                    self.retire()
                    self._fail(response.closing.received, _unavailable("The gateway closed the stream"), begun=False)
                else:
                    self._finish(response)
                del response
        except grpc.aio.AioRpcError as failure:
            error = from_rpc_error(failure, _SERVICE)
        except asyncio.CancelledError:
            if is_cancelled():
                raise
        except grpc.aio.BaseError:
            pass
        finally:
            self.retire()
            self._fail(0, error, begun=True)

    def _finish(self, response: gateway_service_pb2.StreamCallsResponse) -> None:
        waiter = self._waiters.get(response.request_id)
        if waiter is None or waiter.response.done():
            return  # its caller gave up
        if response.WhichOneof("result") == "error":
            waiter.response.set_exception(_error_of(response.error))
        else:
            waiter.response.set_result(response.response)

    def _fail(self, received: int, error: SellergateError, *, begun: bool) -> None:
        """End all calls after the first `received` ones; `begun`: those that were sent may have been begun."""
        for waiter in list(self._waiters.values()):
            if not waiter.response.done() and not 0 < waiter.number <= received:
                waiter.response.set_exception(StreamBroken(error, sent=begun and waiter.number > 0))


def _request(request_id: str, request: SerializedCall, seconds: float) -> bytes:
    head = gateway_service_pb2.StreamCallsRequest(request_id=request_id)
    # The gateway keeps the time of one hop, so that its response arrives in time.
    head.timeout.FromMilliseconds(max(1, int(1000 * seconds)))
    return length_delimited(head.SerializeToString(), _CALL_FIELD, request.data)


def _error_of(error: gateway_service_pb2.CallError) -> SellergateError:
    """Return the error of a call as that of a unary call with this status."""
    code = next((one for one in grpc.StatusCode if one.value[0] == error.code), grpc.StatusCode.UNKNOWN)
    metadata = grpc.aio.Metadata((DETAILS_KEY, error.SerializeToString()))
    return from_rpc_error(grpc.aio.AioRpcError(code, grpc.aio.Metadata(BEGUN), metadata, error.message), _SERVICE)


def _unavailable(what: str) -> Unavailable:
    return Unavailable(f"{what}; call again.", metadata={"dependency": _SERVICE}, retry_after=1.0)


def _late(*, sent: bool) -> OutOfTime:
    words = "The call ran out of time" if sent else "The call ran out of time before it was sent"
    return OutOfTime(f"{words}; give it more time.", metadata={"dependency": _SERVICE})
