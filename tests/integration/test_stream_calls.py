"""StreamCalls over real sockets: what one stream of calls does that no unary call does."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
from prometheus_client import CollectorRegistry
from sellergate.gateway.v1 import call_pb2
from sellergate.gateway.v1 import gateway_service_pb2 as pb2
from sellergate.gateway.v1.gateway_service_pb2_grpc import (
    GatewayServiceServicer,
    GatewayServiceStub,
    add_GatewayServiceServicer_to_server,
)
from sellergate_common.context import current_call, time_left
from sellergate_common.errors import InvalidRequest, QuotaExceeded, Reason, SellergateError
from sellergate_common.observability.telemetry import RpcMetrics
from sellergate_common.rpc.channel import open_channel
from sellergate_common.status import BEGUN, from_bytes
from sellergate_gateway.rpc.call_streams import MAX_CALLS_OF_STREAM, CallStreams, Serving

from tests.conftest import TestAuthority
from tests.integration import servers

LONG = 20.0


@dataclass
class Calls(GatewayServiceServicer):  # type: ignore[misc]
    """A servicer whose behaviour is chosen by the path of each call."""

    seconds: float = 3600.0
    begun: list[str] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    most: int = 0
    running: int = 0

    def __post_init__(self) -> None:
        self.metrics = RpcMetrics.register(CollectorRegistry())
        self.draining, self.released = asyncio.Event(), asyncio.Event()
        self._streams = CallStreams(self.respond, Serving(self.metrics, self.draining, self.seconds))

    async def StreamCalls(self, request_iterator: Any, context: Any) -> None:  # noqa: N802
        await self._streams.serve(context)

    async def respond(self, request: call_pb2.CallRequest, response: call_pb2.CallResponse) -> None:
        self.begun.append(request.account_id)
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await self._respond(request, response)
        except asyncio.CancelledError:
            self.cancelled.append(request.account_id)
            raise
        finally:
            self.running -= 1

    async def _respond(self, request: call_pb2.CallRequest, response: call_pb2.CallResponse) -> None:
        match request.path:
            case "/wait":
                await self.released.wait()
            case "/quota":
                raise QuotaExceeded("Later.", retry_after=2.5, metadata={"operation": "a/b/c"})
            case "/bug":
                raise KeyError("a secret: Atzr|hidden")
        call = current_call()
        assert call
        seen = {"id": call.request_id, "who": call.caller.identity, "left": time_left(-1)}
        response.http_status, response.body = 200, json.dumps(seen).encode()


@dataclass
class Stream:
    """A client's end of a stream."""

    call: Any

    async def send(self, *requests: pb2.StreamCallsRequest | bytes) -> None:
        for request in requests:
            await self.call.write(request if isinstance(request, bytes) else request.SerializeToString())

    async def read(self) -> pb2.StreamCallsResponse:
        async with asyncio.timeout(LONG):
            raw = await self.call.read()
        assert raw is not grpc.aio.EOF, f"the stream ended: {await self.call.code()} {await self.call.details()}"
        return pb2.StreamCallsResponse.FromString(raw)

    async def rest(self) -> list[pb2.StreamCallsResponse]:
        found = []
        async with asyncio.timeout(LONG):
            while (raw := await self.call.read()) is not grpc.aio.EOF:
                found.append(pb2.StreamCallsResponse.FromString(raw))
        return found


def a_call(name: str, path: str = "/x", **more: Any) -> pb2.StreamCallsRequest:
    call = call_pb2.CallRequest(account_id=name, method="GET", path=path)
    return pb2.StreamCallsRequest(request_id=name, call=call, **more)


def error_of(response: pb2.StreamCallsResponse) -> SellergateError:
    assert response.WhichOneof("result") == "error", response
    error = from_bytes(response.error.SerializeToString())
    assert error is not None
    return error


@asynccontextmanager
async def serving(calls: Calls, authority: TestAuthority, identity: str = "client/demo") -> AsyncIterator[Stream]:
    adding = {add_GatewayServiceServicer_to_server: calls}
    async with (
        servers.serving("gateway", authority.identity("gateway"), adding) as target,
        open_channel(target, "gateway", authority.identity(identity), []) as channel,
    ):
        call: Any = channel.stream_stream("/sellergate.gateway.v1.GatewayService/StreamCalls")(timeout=60)
        yield Stream(call)
        call.cancel()


async def until(condition: Any) -> None:
    async with asyncio.timeout(LONG):
        while not condition():  # noqa: ASYNC110  (nothing announces it)
            await asyncio.sleep(0.005)


def ids(responses: Iterable[pb2.StreamCallsResponse]) -> list[str]:
    return [response.request_id for response in responses]


async def test_responses_come_as_calls_end_and_each_call_has_its_own_id_and_deadline(authority: TestAuthority) -> None:
    calls = Calls()
    async with serving(calls, authority) as stream:
        request = a_call("timed")
        request.timeout.FromMilliseconds(5_000)
        await stream.send(a_call("slow", "/wait"), a_call("quick"), request)
        first, second = await stream.read(), await stream.read()
        assert BEGUN in tuple(await stream.call.initial_metadata())
        seen = {one.request_id: json.loads(one.response.body) for one in (first, second)}
        assert seen["quick"]["id"] == "quick"
        assert seen["quick"]["who"] == "client/demo"
        assert 20 < seen["quick"]["left"] <= 30
        assert seen["timed"]["left"] <= 5
        calls.released.set()
        assert (await stream.read()).request_id == "slow"
        await stream.call.done_writing()
        assert await stream.rest() == []
        assert await stream.call.code() is grpc.StatusCode.OK


async def test_a_failed_call_is_a_message_and_the_stream_goes_on(authority: TestAuthority) -> None:
    calls = Calls()
    async with serving(calls, authority) as stream:
        unnamed = pb2.StreamCallsRequest(request_id="bad id", call=call_pb2.CallRequest(account_id="x", method="GET"))
        large = pb2.StreamCallsRequest(request_id="large", call=call_pb2.CallRequest(account_id="x", method="POST"))
        large.call.body = b"x" * (12 * 1024 * 1024)
        sent = [a_call("quota", "/quota"), a_call("bug", "/bug"), unnamed, b"\xff\xff", large, a_call("method")]
        sent[-1].call.method = "BREW"  # type: ignore[union-attr]
        late = a_call("late", "/wait")
        late.timeout.FromMilliseconds(50)
        await stream.send(*sent, late, a_call("good"))
        await stream.call.done_writing()
        got = {one.request_id: one for one in await stream.rest()}
        assert got.pop("good").response.http_status == 200
        errors = {name: error_of(one) for name, one in got.items()}
        quota = errors["quota"]
        assert isinstance(quota, QuotaExceeded)
        assert (quota.retry_after, quota.metadata, quota.domain) == (2.5, {"operation": "a/b/c"}, "sellergate.gateway")
        assert got["quota"].error.code == grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]
        assert errors["bug"].reason is Reason.INTERNAL
        assert "Atzr" not in str(errors["bug"])
        assert errors["late"].reason is Reason.DEADLINE_EXCEEDED
        assert errors["bad id"].violations[0].field == "request_id"
        assert errors["method"].violations[0].field == "call.method"
        assert errors["large"].violations[0].field == "call"
        assert all(isinstance(errors[name], InvalidRequest) for name in ("bad id", "method", "large", ""))
        assert set(errors) == {"quota", "bug", "late", "bad id", "method", "large", ""}
        assert await stream.call.code() is grpc.StatusCode.OK
    assert "large" not in calls.begun


async def test_the_calls_in_progress_are_bounded_and_the_client_waits(authority: TestAuthority) -> None:
    calls, sent = Calls(), 0
    body = b"x" * 100_000
    async with serving(calls, authority) as stream:

        async def send_all() -> None:
            nonlocal sent
            for number in range(2 * MAX_CALLS_OF_STREAM):
                request = a_call(str(number), "/wait")
                request.call.body = body
                await stream.send(request)
                sent += 1
            await stream.call.done_writing()

        sending = asyncio.create_task(send_all())
        await until(lambda: calls.running == MAX_CALLS_OF_STREAM)
        progress = -1
        while progress != sent:  # until the connection accepts no more data
            progress = sent
            await asyncio.sleep(0.2)
        assert sent < 2 * MAX_CALLS_OF_STREAM, "the client is held up by flow control"
        calls.released.set()
        got = await stream.rest()
        await sending
    assert len(set(ids(got))) == 2 * MAX_CALLS_OF_STREAM
    assert calls.most == MAX_CALLS_OF_STREAM


async def test_a_cancelled_stream_cancels_its_calls(authority: TestAuthority) -> None:
    calls = Calls()
    async with serving(calls, authority) as stream:
        await stream.send(*(a_call(str(number), "/wait") for number in range(5)))
        await until(lambda: calls.running == 5)
        stream.call.cancel()
        await until(lambda: calls.running == 0)
    assert sorted(calls.cancelled) == list("01234")
    assert calls.metrics.in_flight == 0
    (counts,) = [one for one in calls.metrics.collect() if one.name == "sellergate_rpc_handled"]
    counted = {tuple(sample.labels.values()): sample.value for sample in counts.samples}
    assert counted == {("sellergate.gateway.v1.GatewayService/Call", "CANCELLED"): 5}


async def test_a_drain_ends_the_stream_after_its_calls_and_counts_what_was_received(authority: TestAuthority) -> None:
    calls = Calls()
    async with serving(calls, authority) as stream:
        await stream.send(a_call("a", "/wait"), a_call("b", "/wait"))
        await until(lambda: calls.running == 2)
        calls.draining.set()
        closing = await stream.read()
        assert (closing.WhichOneof("result"), closing.closing.received) == ("closing", 2)
        await stream.send(a_call("c"))
        calls.released.set()
        await stream.call.done_writing()
        assert sorted(ids(await stream.rest())) == ["a", "b"]
        assert await stream.call.code() is grpc.StatusCode.OK
    assert calls.begun == ["a", "b"]


async def test_a_stream_closes_when_it_is_old(authority: TestAuthority) -> None:
    async with serving(Calls(seconds=0.2), authority) as stream:
        await stream.send(a_call("a"))
        got = [await stream.read(), await stream.read()]
        await stream.call.done_writing()
        assert await stream.rest() == []
    assert [one.WhichOneof("result") for one in got] == ["response", "closing"]
    assert got[-1].closing.received == 1


async def test_the_deadline_of_the_stream_bounds_each_call(authority: TestAuthority) -> None:
    calls, adding = Calls(), {add_GatewayServiceServicer_to_server: Calls()}
    calls.released.set()
    async with (
        servers.serving("gateway", authority.identity("gateway"), adding) as target,
        open_channel(target, "gateway", authority.identity("client/demo"), []) as channel,
    ):
        began = time.monotonic()
        call = GatewayServiceStub(channel).StreamCalls(iter([a_call("a")]), timeout=8)
        got = [one async for one in call]
    assert json.loads(got[0].response.body)["left"] <= 8
    assert time.monotonic() - began < 60


async def test_a_forbidden_caller_gets_an_error_status(authority: TestAuthority) -> None:
    async with serving(Calls(), authority, "token") as stream:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stream.call.read()
    assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
