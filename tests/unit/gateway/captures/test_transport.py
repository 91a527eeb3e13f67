"""Captured calls: they end as without a capture, and no other user waits for them."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from sellergate_common.clock import SYSTEM_CLOCK
from sellergate_common.context import CallContext, use_context
from sellergate_common.tasks import BackgroundTasks
from sellergate_gateway.captures import service
from sellergate_gateway.captures.redaction import Exchange
from sellergate_gateway.captures.service import MOST_PENDING, Capture, Captures, open_captures
from sellergate_gateway.captures.transport import CapturingAmazon
from sellergate_gateway.spapi.http import AmazonRequest, AmazonResponse, ResponseLost

from tests.fakes.gateway import CATALOGUE
from tests.fakes.loop_watchdog import watched_loop

OPERATION = "listings-items/2021-08-01/putListingsItem"
CALL = CallContext("sellergate.gateway.v1.GatewayService/Call", "r1", account_id="a1", operation=OPERATION)
HALF = b'{"a": "\\ud800"}'
ATTACKS = [
    json.dumps({"a": "eyJ-" * 12_000}).encode(),
    json.dumps({"a": "http://" * 8_000}).encode(),
    json.dumps({"Atzr|" * 2_000: ["eyJa.b" * 10] * 1_000}).encode(),
    b"[" * 120_000,
    b'{"a":' * 20_000,
    json.dumps(["x"] * 20_000).encode(),
    HALF,
]


@dataclass
class Store:
    """Captures of one process."""

    known: list[Capture] = field(default_factory=list)
    seen: list[Exchange] = field(default_factory=list)
    stuck: asyncio.Event | None = None

    async def begin(self, capture: Capture) -> None:
        self.known.append(capture)

    async def end(self, capture: Capture) -> None:
        self.known.remove(capture)

    async def wanted(self) -> Iterable[Capture]:
        return self.known

    async def put(self, capture: Capture, exchange: Exchange) -> None:
        if self.stuck:
            await self.stuck.wait()
        self.seen.append(exchange)

    async def take(self, capture: Capture) -> Sequence[Exchange]:
        return ()


class Log:
    async def record(self, capture: Capture, seconds: float) -> None:
        pass


@dataclass
class Amazon:
    """An Amazon that sends one response or fails."""

    response: AmazonResponse | None
    sent: int = 0

    async def send(self, request: AmazonRequest, seconds: float) -> AmazonResponse:
        self.sent += 1
        if self.response is None:
            raise ResponseLost("the connection broke")
        return self.response


@asynccontextmanager
async def captured(store: Store) -> AsyncIterator[Captures]:
    """Capture the account's calls."""
    capture = Capture("c1", "a1", OPERATION, SYSTEM_CLOCK.wall() + 600)
    store.known.append(capture)
    async with open_captures(store, Log(), SYSTEM_CLOCK, lambda: "id", BackgroundTasks()) as captures:
        async with asyncio.timeout(20):
            while captures.idle:  # noqa: ASYNC110  (the replica reads at its own times)
                await asyncio.sleep(0.01)
        yield captures


async def made(captures: Captures, amazon: Amazon, body: bytes) -> AmazonResponse:
    request = AmazonRequest("PUT", f"https://na.test/x?{'eyJ-' * 8_000}=1", (), body, OPERATION)
    with use_context(CALL):
        return await CapturingAmazon(amazon, captures, CATALOGUE, SYSTEM_CLOCK).send(request, 10)


async def seen(store: Store, count: int) -> list[Exchange]:
    async with asyncio.timeout(60):
        while len(store.seen) < count:  # noqa: ASYNC110  (the end has no event)
            await asyncio.sleep(0.01)
    return store.seen


async def test_no_body_blocks_the_loop_or_escapes_the_capture() -> None:
    """The first of these bodies once blocked every call of the gateway for ten seconds."""
    store = Store()
    with watched_loop():
        async with captured(store) as captures:
            for body in ATTACKS:
                response = AmazonResponse(200, (), body)
                assert await made(captures, Amazon(response), body) is response
            exchanges = await seen(store, len(ATTACKS))
    assert [exchange.status for exchange in exchanges] == [200] * len(ATTACKS)


async def test_a_capture_does_not_change_the_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store()
    async with captured(store) as captures:
        with pytest.raises(ResponseLost):
            await made(captures, Amazon(None), HALF)
        (exchange,) = await seen(store, 1)
        assert (exchange.status, exchange.failure) == (0, "the connection broke")

        def broken(*_: object) -> None:
            raise RuntimeError("no thread is left")

        monkeypatch.setattr(captures, "submit", broken)
        response = AmazonResponse(200, (), HALF)
        assert await made(captures, Amazon(response), HALF) is response


async def test_waiting_exchanges_are_bounded() -> None:
    store = Store(stuck=asyncio.Event())
    async with captured(store) as captures:
        amazon = Amazon(AmazonResponse(200, (), b"{}"))
        for _ in range(MOST_PENDING + 50):
            await made(captures, amazon, b"{}")
        assert amazon.sent == MOST_PENDING + 50
        assert store.stuck is not None
        store.stuck.set()
        assert len(await seen(store, MOST_PENDING)) == MOST_PENDING
    assert service.MOST_PENDING * 2 * 128 * 1024 <= 16 * 1024 * 1024
