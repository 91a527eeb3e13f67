"""A run of RPCs and requests, several at once, for a number of inputs or a time, with its findings."""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from tests.fuzz.calls import Callers
from tests.fuzz.oracles import Memory
from tests.fuzz.routes import Requests
from tests.fuzz.rpcs import Inputs
from tests.fuzz.sockets import Sockets
from tests.fuzz.world import World

AT_ONCE = 6
"""The number of concurrent RPCs, and of concurrent requests."""
MOST_FINDINGS = 200
MEMORY_SECONDS = 5.0
REFRESH_SECONDS = 60.0


@dataclass(frozen=True)
class Extent:
    """The extent of a run: `each` inputs of RPCs and of requests, or `seconds`."""

    seed: int
    each: int = 10**9
    seconds: float = 10**9


@dataclass
class Found:
    """The findings of a run: inputs with their faults, a few of each kind."""

    inputs: list[dict[str, Any]] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)

    def add(self, fault: str, target: str, given: dict[str, Any]) -> None:
        """Add an input and its fault."""
        kind = f"{target}: {fault[:60]}"
        self.kinds[kind] += 1
        if self.kinds[kind] <= 3 and len(self.inputs) < MOST_FINDINGS:
            self.inputs.append({"fault": fault, **given})

    def __str__(self) -> str:
        """Return the kinds, then the inputs as lines of a corpus."""
        kinds = [f"{count} x {kind}" for kind, count in self.kinds.most_common()]
        return "\n".join([*kinds, *(json.dumps(one)[:6_000] for one in self.inputs)])


class Run:
    """One run over a World."""

    def __init__(self, world: World, extent: Extent) -> None:
        self.found = Found()
        self.memory = Memory(world.rest.suite)
        self.sockets = Sockets(world.rest.suite)
        self.callers = Callers(world.rest.suite)
        self._world = world
        self._extent = extent
        self._until = time.monotonic() + extent.seconds
        self._inputs = Inputs(random.Random(extent.seed), world.known, world.callers)
        self._requests = Requests(random.Random(extent.seed + 1), world.known, world.tokens, world.sdk_tokens)

    async def __call__(self) -> Found:
        """Send all inputs; return the findings."""
        rpcs, requests = self._inputs.endless(), self._requests.endless()
        beside = [asyncio.create_task(self._every(MEMORY_SECONDS, self._look))]
        if self._extent.seconds > REFRESH_SECONDS:
            beside.append(asyncio.create_task(self._every(REFRESH_SECONDS, self._refresh)))
        async with self.callers:
            left = [iter(range(self._extent.each)), iter(range(self._extent.each))]
            workers = [self._worker(left[0], lambda: self._call(next(rpcs))) for _ in range(AT_ONCE)]
            workers += [self._worker(left[1], lambda: self._request(next(requests))) for _ in range(AT_ONCE)]
            await asyncio.gather(*workers)
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
        self.memory.sample()
        return self.found

    async def _worker(self, left: Any, work: Callable[[], Awaitable[None]]) -> None:
        for _ in left:
            if time.monotonic() > self._until:
                return
            await work()

    async def _call(self, given: Any) -> None:
        outcome, fault = await self.callers.send(given)
        self._inputs.learn(given, outcome.reason or outcome.code, list(outcome.responses))
        if fault:
            self.found.add(fault, given.rpc, given.as_json())

    async def _request(self, request: Any) -> None:
        _, fault = await self.sockets.send(request)
        if fault:
            self.found.add(fault, request.route, request.as_json())

    async def _every(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            await work()
            await asyncio.sleep(seconds)

    async def _look(self) -> None:
        self.memory.sample()

    async def _refresh(self) -> None:
        await self._world.refresh()
        self._requests.tokens = self._world.tokens
        self._requests.sdk_tokens = self._world.sdk_tokens
