"""Streams of calls in virtual time: order, bounds, deadlines, cancellation, closing."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import grpc
import pytest
from prometheus_client import CollectorRegistry
from sellergate.gateway.v1 import call_pb2
from sellergate.gateway.v1 import gateway_service_pb2 as pb2
from sellergate_common.context import CallContext, Caller, current_call, use_context
from sellergate_common.errors import Reason
from sellergate_common.observability.telemetry import RpcMetrics
from sellergate_common.rpc.deadlines import UNARY_SECONDS
from sellergate_common.status import BEGUN, from_bytes
from sellergate_gateway.rpc import call_streams
from sellergate_gateway.rpc.call_streams import LINGER_SECONDS, MAX_CALLS_OF_STREAM, CallStreams, Serving

from tests.fakes.virtual_time import run_in_virtual_time

CALL = "sellergate.gateway.v1.GatewayService/Call"


class World:
    """A stream without sockets. The path of a call names its duration in seconds; its client may be slow to read."""

    def __init__(self, seconds: float = 3600.0) -> None:
        self.metrics = RpcMetrics.register(CollectorRegistry())
        self.draining = asyncio.Event()
        self.streams = CallStreams(self.respond, Serving(self.metrics, self.draining, seconds))
        self.requests: asyncio.Queue[Any] = asyncio.Queue()
        self.written: list[tuple[float, str, str]] = []
        self.first: Any = None
        self.running: set[str] = set()
        self.cancelled: set[str] = set()
        self.most = 0
        self.reading = asyncio.Event()
        self.reading.set()

    async def respond(self, request: call_pb2.CallRequest, response: call_pb2.CallResponse) -> None:
        call = current_call()
        assert call is not None
        self.running.add(call.request_id)
        self.most = max(self.most, len(self.running))
        try:
            await asyncio.sleep(float(request.path))
        except asyncio.CancelledError:
            self.cancelled.add(call.request_id)
            raise
        finally:
            self.running.discard(call.request_id)
        response.http_status = 200

    async def send_initial_metadata(self, metadata: Any) -> None:
        self.first = metadata

    async def read(self) -> Any:
        return await self.requests.get()

    async def write(self, response: pb2.StreamCallsResponse) -> None:
        await self.reading.wait()
        result = response.WhichOneof("result") or ""
        if result == "error":
            error = from_bytes(response.error.SerializeToString())
            result = error.reason if error else "?"
        if result == "closing":
            result = f"closing {response.closing.received}"
        self.written.append((asyncio.get_running_loop().time(), response.request_id, result))

    def sends(self, name: str, seconds: float, timeout: float | None = None, size: int = 0) -> None:
        call = call_pb2.CallRequest(account_id="a", method="GET", path=str(seconds), body=b"x" * size)
        request = pb2.StreamCallsRequest(request_id=name, call=call)
        if timeout is not None:
            request.timeout.FromMilliseconds(int(timeout * 1000))
        self.requests.put_nowait(request.SerializeToString())

    def ends(self) -> None:
        self.requests.put_nowait(grpc.aio.EOF)

    def counted(self) -> dict[tuple[str, ...], float]:
        (counts,) = [one for one in self.metrics.collect() if one.name == "sellergate_rpc_handled"]
        return {tuple(sample.labels.values()): sample.value for sample in counts.samples}


def run(scenario: Callable[[World], Coroutine[Any, Any, None]], seconds: float = 3600.0) -> World:
    async def main() -> World:
        world = World(seconds)
        with use_context(
            CallContext("sellergate.gateway.v1.GatewayService/StreamCalls", "s", caller=Caller("client/x"))
        ):
            await scenario(world)
        return world

    return run_in_virtual_time(main())


def test_responses_come_in_the_order_in_which_calls_end() -> None:
    async def scenario(world: World) -> None:
        for name, seconds in (("a", 3), ("b", 1), ("c", 2)):
            world.sends(name, seconds)
        world.ends()
        await world.streams.serve(world)

    world = run(scenario)
    assert world.first == (BEGUN,)
    assert world.written == [(1.0, "b", "response"), (2.0, "c", "response"), (3.0, "a", "response")]
    assert world.counted() == {(CALL, "OK"): 3}
    assert world.metrics.in_flight == 0


def test_no_request_is_read_beyond_the_calls_in_progress() -> None:
    left = list[int]()

    async def scenario(world: World) -> None:
        for number in range(MAX_CALLS_OF_STREAM + 10):
            world.sends(f"n{number}", 1)
        world.ends()
        serving = asyncio.create_task(world.streams.serve(world))
        await asyncio.sleep(0.5)
        left.append(world.requests.qsize())
        await serving

    world = run(scenario)
    assert left == [10 + 1]
    assert world.most == MAX_CALLS_OF_STREAM
    assert len(world.written) == MAX_CALLS_OF_STREAM + 10


def test_responses_that_the_client_does_not_read_count_as_calls_in_progress() -> None:
    left = list[int]()

    async def scenario(world: World) -> None:
        world.reading.clear()
        for number in range(MAX_CALLS_OF_STREAM + 10):
            world.sends(f"n{number}", 0)
        world.ends()
        serving = asyncio.create_task(world.streams.serve(world))
        await asyncio.sleep(60)
        left.append(world.requests.qsize())
        world.reading.set()
        await serving

    assert len(run(scenario).written) == MAX_CALLS_OF_STREAM + 10
    assert left == [10 + 1]


def test_the_bytes_of_requests_in_progress_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_streams, "MAX_REQUEST_BYTES_OF_STREAM", 100_000)

    async def scenario(world: World) -> None:
        for number in range(9):
            world.sends(f"n{number}", 1, size=40_000)
        world.ends()
        await world.streams.serve(world)

    world = run(scenario)
    assert world.most == 3
    assert [at for at, _, _ in world.written] == [1.0] * 3 + [2.0] * 3 + [3.0] * 3


def test_each_call_ends_by_its_own_deadline() -> None:
    async def scenario(world: World) -> None:
        world.sends("short", 60, timeout=1)
        world.sends("none", 60, timeout=-1)
        world.sends("default", 60)
        world.sends("long", 60, timeout=90)
        world.ends()
        await world.streams.serve(world)

    world = run(scenario)
    assert [(round(at, 2), name, result) for at, name, result in world.written] == [
        (0.0, "none", Reason.DEADLINE_EXCEEDED),
        (0.98, "short", Reason.DEADLINE_EXCEEDED),
        (UNARY_SECONDS, "default", Reason.DEADLINE_EXCEEDED),
        (60.0, "long", "response"),
    ]
    assert world.counted() == {(CALL, "OK"): 1, (CALL, Reason.DEADLINE_EXCEEDED): 3}


def test_the_end_of_a_stream_by_its_client_cancels_the_calls() -> None:
    async def scenario(world: World) -> None:
        for name in "abc":
            world.sends(name, 60)
        serving = asyncio.create_task(world.streams.serve(world))
        await asyncio.sleep(1)
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving
        assert world.running == set()

    world = run(scenario)
    assert world.cancelled == set("abc")
    assert world.counted() == {(CALL, Reason.CANCELLED): 3}
    assert (world.written, world.metrics.in_flight) == ([], 0)


def test_a_drain_is_announced_at_once_and_ends_the_stream_after_its_calls() -> None:
    async def scenario(world: World) -> None:
        world.sends("a", 5)
        world.sends("b", 3)
        serving = asyncio.create_task(world.streams.serve(world))
        await asyncio.sleep(1)
        world.draining.set()
        await asyncio.sleep(1)
        world.sends("c", 0)
        await serving
        assert asyncio.get_running_loop().time() == 5.0 + LINGER_SECONDS
        assert world.requests.qsize() == 0, (
            "requests after the announcement are dropped, so that their client is not held back"
        )

    assert run(scenario).written == [(1.0, "", "closing 2"), (3.0, "b", "response"), (5.0, "a", "response")]


def test_a_drain_closes_a_stream_that_waits_for_room() -> None:
    async def scenario(world: World) -> None:
        for number in range(MAX_CALLS_OF_STREAM + 1):
            world.sends(f"n{number}", 5)
        serving = asyncio.create_task(world.streams.serve(world))
        await asyncio.sleep(1)
        world.draining.set()
        world.ends()
        await serving
        assert asyncio.get_running_loop().time() == 5.0, "the client has ended its side"

    world = run(scenario)
    assert world.written[0] == (1.0, "", f"closing {MAX_CALLS_OF_STREAM}")
    assert len(world.written) == MAX_CALLS_OF_STREAM + 1


def test_an_old_stream_closes() -> None:
    async def scenario(world: World) -> None:
        world.sends("a", 15)
        await world.streams.serve(world)

    assert run(scenario, seconds=10.0).written == [(10.0, "", "closing 1"), (15.0, "a", "response")]
