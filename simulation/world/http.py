"""HTTPS to Amazon: the LWA client's port of HTTP, and the gateway's port of SP-API."""

import asyncio
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from sellergate_gateway.spapi.http import AmazonRequest, AmazonResponse, ConnectError, ResponseLost, ResponseOversized
from sellergate_token.lwa.client import Unreachable
from sellergate_token.lwa.responses import Response

from simulation.world.amazon import SimulatedAmazon, failure, odd_lwa, odd_spapi
from simulation.world.loop import NODE, Node
from simulation.world.network import Network

# The usual time of Amazon's work on a request, in seconds.
FASTEST, SLOWEST = 0.01, 0.06
# The share of odd responses of SP-API that belong to a call that was executed: they are too large, or the page of a proxy.
EXECUTED_SHARE, TOO_LARGE = 0.4, b"too large"
_FAILURES: dict[str, Callable[[], tuple[int, dict[str, str], bytes]]] = {
    "error": lambda: (503, {}, b"{}"),
    "fail": failure,
}
SANDBOX = "https://sandbox.spapi.simulation"
KEY = re.compile(r"op-[0-9-]+")
"""What identifies a call at Amazon."""


class Wire:
    """The way of requests from one process to Amazon."""

    def __init__(
        self, amazon: SimulatedAmazon, host: Node, network: Network, random: Random, attempts: Counter[tuple[str, str]]
    ) -> None:
        self.amazon = amazon
        self.host = host
        self.network = network
        self.random = random
        self.attempts = attempts

    async def request(self, kind: str, execute: Any, on_sent: Any = None) -> Any:
        """Return what Amazon responds. Raises ConnectionError before and ConnectionResetError after Amazon may have executed it."""
        node, loop, network = NODE.get(), asyncio.get_running_loop(), self.network
        outage = self.amazon.outage
        fault = getattr(outage, kind) if self.random.random() < outage.share else ""
        await asyncio.sleep(network.delay())
        if fault == "refuse":
            raise ConnectionRefusedError("Amazon refuses connections")
        if on_sent is not None:
            on_sent()
        response: asyncio.Future[Any] = loop.create_future()
        work = FASTEST + (SLOWEST - FASTEST) * self.random.random()

        late = 0.0
        if fault == "slow":
            slowness = 3.0 + 5.0 * self.random.random()
            # Half of the slow requests are executed at once, and their responses come late.
            work, late = (work + slowness, 0.0) if self.random.random() < 0.5 else (work, slowness)

        def arrive() -> None:
            if fault == "hang":
                return
            result = (
                self._odd(kind, execute) if fault == "odd" else _FAILURES[fault]() if fault in _FAILURES else execute()
            )
            loop.call_later(late, respond, result) if late else respond(result)

        def respond(result: Any) -> None:
            if fault != "lost":
                network.send(self.host, node, lambda: response.done() or response.set_result(result))
            else:
                network.send(
                    self.host,
                    node,
                    lambda: response.done() or response.set_exception(ConnectionResetError("reset")),
                )

        network.send(node, self.host, lambda: loop.call_later(work, arrive))
        self.amazon.silent_requests[kind] += fault == "hang"
        try:
            return await response
        finally:
            self.amazon.silent_requests[kind] -= fault == "hang"

    def _odd(self, kind: str, execute: Any) -> Any:
        draw = self.random.random()
        if kind == "lwa":
            return odd_lwa(draw)
        if draw >= EXECUTED_SHARE:
            return odd_spapi((draw - EXECUTED_SHARE) / (1 - EXECUTED_SHARE))
        status, headers, body = execute()
        if status != 200:
            return status, headers, body
        return (status, headers, TOO_LARGE) if draw < EXECUTED_SHARE / 2 else (504, {}, b"<html>")


class LwaTransport:
    """The LWA client's port of HTTP."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._not_before: dict[asyncio.Task[Any] | None, float] = {}

    async def post(self, form: Mapping[str, str]) -> Response:
        """Send a form and return the complete response. Check that a repetition follows LWA's Retry-After."""
        amazon, task = self._wire.amazon, asyncio.current_task()
        if amazon.now < self._not_before.get(task, 0.0):
            amazon.history.violate("budget", f"{NODE.get()} repeats an exchange before LWA's Retry-After")
        # The form is copied: it is read when it arrives.
        arrived, source, sent = dict(form), NODE.get().name, amazon.now

        def execute() -> tuple[int, dict[str, str], bytes]:
            status, body = amazon.exchange(arrived, source, sent)
            return status, {}, json.dumps(body).encode()

        try:
            status, headers, body = await self._wire.request("lwa", execute)
        except ConnectionError as error:
            raise Unreachable(type(error).__name__) from None
        if "retry-after" in headers:
            self._not_before[task] = amazon.now + float(headers["retry-after"])
        return Response(status, {"content-type": "application/json", **headers}, body)


class SpApi:
    """The gateway's port of SP-API."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def send(self, request: AmazonRequest, seconds: float) -> AmazonResponse:
        """Send a request and return the complete response."""
        token = next(value for name, value in request.headers if name == "x-amz-access-token")
        found = KEY.search(request.url + request.body.decode())
        key = found[0] if found else ""
        sender = NODE.get()
        self._wire.attempts[sender.name, key] += 1

        def sent() -> None:
            request.sent = True
            if request.on_sent is not None:
                request.on_sent()

        def execute() -> tuple[int, dict[str, str], bytes]:
            operation = "sandbox" if request.url.startswith(SANDBOX) else request.operation
            return self._wire.amazon.call(request.method, operation, token, key, sender, request.body)

        try:
            async with asyncio.timeout(seconds):
                status, headers, body = await self._wire.request("spapi", execute, sent)
        except TimeoutError:
            if request.sent:
                raise ResponseLost("Amazon did not respond in time", late=True) from None
            raise ConnectError("no connection in time", late=True) from None
        except ConnectionRefusedError:
            raise ConnectError("refused") from None
        except ConnectionResetError:
            raise ResponseLost("the connection was reset") from None
        if body == TOO_LARGE:
            raise ResponseOversized(AmazonResponse(status, tuple(headers.items()), b""))
        return AmazonResponse(status, tuple(headers.items()), body)
