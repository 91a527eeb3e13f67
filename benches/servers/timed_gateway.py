"""A gateway that measures the CPU time of its event loop in the code of each layer of a call.

It is the product's gateway with its functions wrapped. Each step of a wrapped coroutine, from one wait to the next, is charged to
its layer, without the steps of layers inside it. The totals are in the file of BENCH_LAYERS_FILE, written several times a second.
"""

import asyncio
import inspect
import json
import os
import sys
import time
from collections.abc import Callable, Generator
from functools import wraps
from importlib import import_module
from pathlib import Path
from typing import Any

WRITE_SECONDS = 0.2
_RPC, _GATEWAY = "sellergate_common.rpc.interceptors:Interceptors", "sellergate_gateway"
LAYERS = {
    "interceptors": (
        f"{_RPC}.request_id",
        f"{_RPC}.log",
        f"{_RPC}.metrics",
        f"{_RPC}.errors",
        f"{_RPC}.parsing",
        f"{_RPC}.deadline",
        f"{_RPC}.validation",
    ),
    "identity": (f"{_RPC}.identity",),
    "pipeline": (f"{_GATEWAY}.rpc.calls:GatewayServicer.Call", f"{_GATEWAY}.calls.pipeline:Calls.make"),
    "copy of the account": (f"{_GATEWAY}.grpc_accounts:GrpcAccounts.get",),
    "access token": (f"{_GATEWAY}.credentials.access_tokens:TokenSource.get",),
    "quota": (f"{_GATEWAY}.quota.batching:BatchedLimiter.acquire",),
    "outgoing HTTP": (f"{_GATEWAY}.spapi.aiohttp_transport:AiohttpAmazon.send",),
    "response": (f"{_GATEWAY}.rpc.calls:forward_response",),
}
"""The functions of each layer, as `module:name`."""
CALLS = f"{_GATEWAY}.rpc.calls:GatewayServicer.Call"
"""The function that runs once for each call."""


class Clock:
    """The nanoseconds of each layer, and the layers that are running, the innermost last."""

    def __init__(self) -> None:
        self.spent = dict.fromkeys(LAYERS, 0)
        self.steps = dict.fromkeys(LAYERS, 0)
        self.calls = 0
        self._running: list[str] = []
        self._since = 0

    def enter(self, layer: str) -> None:
        """Charge a layer from now on."""
        now = time.thread_time_ns()
        if self._running:
            self.spent[self._running[-1]] += now - self._since
        self._running.append(layer)
        self.steps[layer] += 1
        self._since = time.thread_time_ns()

    def leave(self) -> None:
        """Charge the layer outside again."""
        now = time.thread_time_ns()
        self.spent[self._running.pop()] += now - self._since
        self._since = time.thread_time_ns()


class Steps:
    """A coroutine whose steps are charged to a layer."""

    __slots__ = ("_clock", "_coroutine", "_layer")

    def __init__(self, coroutine: Any, layer: str, clock: Clock) -> None:
        self._coroutine = coroutine
        self._layer = layer
        self._clock = clock

    def __await__(self) -> Generator[Any, Any, Any]:
        return self  # type: ignore[return-value]

    def __iter__(self) -> "Steps":
        return self

    def __next__(self) -> Any:
        return self.send(None)

    def send(self, value: Any) -> Any:
        """Run the next step."""
        self._clock.enter(self._layer)
        try:
            return self._coroutine.send(value)
        finally:
            self._clock.leave()

    def throw(self, *raised: Any) -> Any:
        """Run the next step with an exception."""
        self._clock.enter(self._layer)
        try:
            return self._coroutine.throw(*raised)
        finally:
            self._clock.leave()

    def close(self) -> None:
        """Close the coroutine."""
        self._coroutine.close()


def wrap(layer: str, where: str, clock: Clock) -> None:
    """Charge a function to a layer. Raises LookupError if the product has no such function any more."""
    owner, name, function = find(where)
    is_call = where == CALLS

    @wraps(function)
    async def timed(*args: Any, **named: Any) -> Any:
        clock.calls += is_call
        return await Steps(function(*args, **named), layer, clock)

    @wraps(function)
    def timed_at_once(*args: Any, **named: Any) -> Any:
        clock.enter(layer)
        try:
            return function(*args, **named)
        finally:
            clock.leave()

    setattr(owner, name, timed if inspect.iscoroutinefunction(function) else timed_at_once)


def find(where: str) -> tuple[Any, str, Callable[..., Any]]:
    """Return the owner, the name and the function of `module:name`. Raises LookupError."""
    module, _, path = where.partition(":")
    try:
        owner: Any = import_module(module)
        *outer, name = path.split(".")
        for part in outer:
            owner = getattr(owner, part)
        return owner, name, getattr(owner, name)
    except (ImportError, AttributeError) as error:
        raise LookupError(
            f"{where} does not exist; LAYERS of {__name__} must name the function that does its work now"
        ) from error


async def write_totals(clock: Clock, file: Path) -> None:
    """Write the totals again and again; a reader finds a whole file."""
    draft = file.with_suffix(".draft")
    while True:
        draft.write_text(json.dumps({"calls": clock.calls, "spent": clock.spent, "steps": clock.steps}))
        draft.replace(file)
        await asyncio.sleep(WRITE_SECONDS)


def main() -> None:
    """Run the gateway with its layers timed."""
    from sellergate_gateway import __main__ as gateway  # noqa: PLC0415  (after the layers were wrapped)

    clock, serve = Clock(), gateway.serve
    for layer, places in LAYERS.items():
        for where in places:
            wrap(layer, where, clock)

    async def timed(settings: Any) -> None:
        writing = asyncio.create_task(write_totals(clock, Path(os.environ["BENCH_LAYERS_FILE"])))
        try:
            await serve(settings)
        finally:
            writing.cancel()

    gateway.serve = timed
    gateway.main()


if __name__ == "__main__":
    sys.exit(main())
