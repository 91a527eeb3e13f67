"""Many calls of the client library over one stream: nothing is lost and nothing is made twice, however the stream ends."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from sellergate.gateway.v1 import call_pb2
from sellergate.gateway.v1.gateway_service_pb2_grpc import GatewayServiceServicer, add_GatewayServiceServicer_to_server
from sellergate_client import Call, CallOutcome, Sellergate
from sellergate_common.errors import (
    InvalidRequest,
    NotAllowed,
    NotFound,
    OutcomeUnknown,
    OutOfTime,
    Overloaded,
    Reason,
    SellergateError,
    Unavailable,
)
from sellergate_common.observability.telemetry import RpcMetrics
from sellergate_gateway.rpc.call_streams import CallStreams, Serving

from tests.conftest import TestAuthority
from tests.integration import servers
from tests.integration.storms import Peer, peer_before

LONG = 30.0
READS = [Call("a", "GET", f"/{number}", key=number) for number in range(200)]
WRITES = [Call("a", "POST", f"/{number}", key=number, json={"n": number}) for number in range(200)]


class Gateway(GatewayServiceServicer):  # type: ignore[misc]
    """Counts what it carries out by the path of each call. While `held` is not set, calls wait."""

    def __init__(self) -> None:
        self.begun: Counter[str] = Counter()
        self.done: Counter[str] = Counter()
        self.held = asyncio.Event()
        self.held.set()
        self.running = self.most = self.streams = self.refusals = 0
        self.draining = asyncio.Event()

    async def StreamCalls(self, request_iterator: Any, context: Any) -> None:  # noqa: N802
        self.streams += 1
        serving = Serving(RpcMetrics.register(CollectorRegistry()), self.draining, 3600.0)
        await CallStreams(self.respond, serving).serve(context)

    async def respond(self, request: call_pb2.CallRequest, response: call_pb2.CallResponse) -> None:
        if request.path == "/missing":
            raise NotFound.account("x")
        if self.refusals:
            self.refusals -= 1
            raise Overloaded("Too much.", retry_after=0.01, domain="sellergate.account")
        self.begun[request.path] += 1
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await self.held.wait()
            self.done[request.path] += 1
            response.http_status, response.body = 200, request.path.encode()
        finally:
            self.running -= 1


@dataclass
class World:
    gateway: Gateway
    client: Sellergate
    peer: Peer

    def drain(self) -> None:
        """Close the streams as a replica that shuts down does; the next stream is another replica's."""
        self.gateway.draining.set()
        self.gateway.draining = asyncio.Event()

    async def outcomes(self, calls: Any, **more: Any) -> list[CallOutcome]:
        async with asyncio.timeout(2 * LONG):
            return [outcome async for outcome in self.client.calls(calls, **more)]


@asynccontextmanager
async def running(authority: TestAuthority, identity: str) -> AsyncIterator[World]:
    gateway = Gateway()
    adding = {add_GatewayServiceServicer_to_server: gateway}
    async with (
        servers.serving("gateway", authority.identity("gateway"), adding) as target,
        peer_before(f"tcp://{target}") as peer,
        Sellergate.connect(peer.url.removeprefix("tcp://"), target, authority.identity(identity), target) as client,
    ):
        yield World(gateway, client, peer)


@pytest.fixture
async def world(authority: TestAuthority) -> AsyncIterator[World]:
    async with running(authority, "client/demo") as found:
        yield found


async def until(condition: Any) -> None:
    async with asyncio.timeout(LONG):
        while not condition():  # noqa: ASYNC110  (nothing announces it)
            await asyncio.sleep(0.005)


async def test_each_call_has_one_outcome_with_its_key(world: World) -> None:
    missing, wrong = Call("a", "GET", "/missing", key="missing"), Call("a", "BREW", "/x", key="wrong")
    found = await world.outcomes([*READS, missing, wrong], concurrency=16)
    by_key = {outcome.key: outcome for outcome in found}
    assert len(found) == len(by_key) == 202
    assert isinstance(by_key["missing"].error, NotFound)
    assert by_key["missing"].error.domain == "sellergate.gateway"
    assert isinstance(by_key["wrong"].error, InvalidRequest)
    with pytest.raises(NotFound):
        by_key["missing"].result()
    assert all(by_key[call.key].result().body == call.path.encode() for call in READS)  # type: ignore[union-attr]
    assert (world.gateway.streams, world.gateway.most <= 16) == (1, True)


async def test_calls_come_from_an_asynchronous_iterable_when_there_is_room(world: World) -> None:
    taken = list[Any]()

    async def calls() -> AsyncIterator[Call]:
        for call in READS:
            taken.append(call.key)
            yield call

    world.gateway.held.clear()
    outcomes = world.client.calls(calls(), concurrency=4)
    first = asyncio.create_task(anext(outcomes))
    await until(lambda: world.gateway.running == 4)
    assert len(taken) == 4
    world.gateway.held.set()
    async with asyncio.timeout(LONG), aclosing(outcomes):
        found = [await first, *[outcome async for outcome in outcomes]]
    assert len({outcome.key for outcome in found}) == len(READS)


async def test_an_iterable_that_fails_raises_after_the_outcomes_of_started_calls(world: World) -> None:
    def calls() -> Iterator[Call]:
        yield from READS[:10]
        raise LookupError("no more accounts")

    found = list[CallOutcome]()
    with pytest.raises(LookupError):
        async for outcome in world.client.calls(calls()):
            found.append(outcome)
    assert len(found) == 10


async def test_after_a_broken_connection_reads_are_repeated_and_writes_are_unknown(world: World) -> None:
    for calls, method in ((READS, "GET"), (WRITES, "POST")):
        world.gateway.held.clear()
        world.gateway.begun.clear()
        found = asyncio.create_task(world.outcomes(calls, concurrency=16))
        await until(lambda: world.gateway.running == 16)
        world.peer.resets()
        world.gateway.held.set()
        outcomes = await found
        assert len({outcome.key for outcome in outcomes}) == len(outcomes) == len(calls)
        errors = [outcome.error for outcome in outcomes if outcome.error]
        if method == "GET":
            assert errors == []
        else:
            assert {error.reason for error in errors} == {Reason.AMAZON_OUTCOME_UNKNOWN}
            assert all(isinstance(error, OutcomeUnknown) for error in errors)
            assert len(errors) == 16
            assert max(world.gateway.begun.values()) == 1


async def test_a_drain_loses_no_write_and_makes_none_twice(world: World) -> None:
    found = asyncio.create_task(world.outcomes(WRITES, concurrency=16))
    for _ in range(5):
        world.gateway.held.clear()
        await until(lambda: world.gateway.running == 16 or found.done())
        world.drain()
        world.gateway.held.set()
        await asyncio.sleep(0)
    outcomes = await found
    assert [outcome.error for outcome in outcomes if outcome.error] == []
    assert len(outcomes) == len(world.gateway.done) == sum(world.gateway.begun.values()) == len(WRITES)
    assert world.gateway.streams > 1


async def test_calls_refused_under_overload_are_repeated_after_a_wait(world: World) -> None:
    world.gateway.refusals = 30
    assert all(outcome.error is None for outcome in await world.outcomes(WRITES))
    assert max(world.gateway.done.values()) == 1


async def test_a_gateway_that_is_silent_ends_calls_by_their_own_time(world: World) -> None:
    world.gateway.held.clear()
    await world.outcomes([Call("a", "GET", "/x", seconds=0.3)])
    world.peer.becomes(None)
    calls = [Call("a", method, "/x", key=method, seconds=0.5) for method in ("GET", "POST")]
    errors = {outcome.key: outcome.error for outcome in await world.outcomes(calls)}
    assert isinstance(errors["GET"], OutOfTime | Unavailable)
    # The stream was not begun, so that nothing was sent.
    assert isinstance(errors["POST"], OutOfTime | Unavailable)


async def test_leaving_the_outcomes_cancels_what_is_in_progress(world: World) -> None:
    world.gateway.held.clear()
    outcomes = world.client.calls(iter(READS), concurrency=8)
    waiting = asyncio.create_task(anext(outcomes))
    await until(lambda: world.gateway.running == 8)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await outcomes.aclose()
    await until(lambda: world.gateway.running == 0)
    assert world.gateway.done == {}


async def test_a_caller_that_may_not_call_gets_its_error_for_each_call(authority: TestAuthority) -> None:
    async with running(authority, "token") as world:
        errors = [outcome.error for outcome in await world.outcomes(READS[:1])]
    assert [type(error) for error in errors] == [NotAllowed]


async def test_wrong_arguments_are_refused_before_anything_is_sent(world: World) -> None:
    with pytest.raises(TypeError, match="has no option timeout"):
        Call("a", "GET", "/x", timeout=3)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="concurrency must be a whole number from 1 to 256, not 500"):
        world.client.calls([], concurrency=500)
    with pytest.raises(TypeError, match="must be of type Call"):
        await world.outcomes(["/x"])
    assert await world.outcomes([]) == []
    assert isinstance(SellergateError("x"), Exception)
    assert world.gateway.begun == {}
