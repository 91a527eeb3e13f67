"""Captures: an operator looks at the calls of one account and operation, for a limited time, whichever replica makes them."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from sellergate_amazon.operations import Operation
from sellergate_common.clock import Clock
from sellergate_common.errors import InvalidRequest
from sellergate_common.observability.logs import get_logger
from sellergate_common.tasks import BackgroundTasks, is_cancelled

from sellergate_gateway.captures.redaction import Exchange

DEFAULT_SECONDS, LEAST_SECONDS, MOST_SECONDS = 600.0, 1.0, 1800.0
# How soon other replicas know of a capture, and how soon what they saw is published.
LOOK_SECONDS, TELL_SECONDS = 2.0, 0.2
MOST_PENDING = 64
"""So many exchanges wait to be looked at or stored; those beyond are not seen, so that a capture cannot fill the memory."""
Look = Callable[[], Exchange]


@dataclass(frozen=True, slots=True)
class Capture:
    """What is looked at, until a moment in seconds since the epoch."""

    id: str
    account_id: str
    operation: str
    until: float


class CaptureStore(Protocol):
    """The captures of all replicas, and what each replica saw."""

    async def begin(self, capture: Capture) -> None:
        """Make a capture known. Raises Unavailable."""

    async def end(self, capture: Capture) -> None:
        """Forget a capture and what is left of it; it ends by itself too."""

    async def wanted(self) -> Iterable[Capture]:
        """Return the captures that are known; none when the store does not respond."""

    async def put(self, capture: Capture, exchange: Exchange) -> None:
        """Hand in what was seen; lost when the store does not respond."""

    async def take(self, capture: Capture) -> Sequence[Exchange]:
        """Take what was seen since. Raises Unavailable."""


class CaptureLog(Protocol):
    """The account service's audit log."""

    async def record(self, capture: Capture, seconds: float) -> None:
        """Record a capture before it begins. Raises NotFound, Unavailable."""


class Captures:
    """The captures that this replica knows."""

    def __init__(
        self,
        store: CaptureStore,
        log: CaptureLog,
        clock: Clock,
        new_id: Callable[[], str],
        off_loop: Callable[[Look], Awaitable[Exchange]],
    ) -> None:
        """`off_loop` looks at an exchange in a thread of its own: what tenants send must not hold up the calls of all others."""
        self._clock = clock
        self._off_loop = off_loop
        self._new_id = new_id
        self._store = store
        self._log = log
        self._wanted: dict[tuple[str, str], list[Capture]] = {}
        self._handing: set[asyncio.Task[None]] = set()

    def of(self, account_id: str, operation: str) -> Sequence[Capture]:
        """Return the captures of an account's operation that are running now."""
        if not self._wanted:
            return ()
        now = self._clock.wall()
        return [one for one in self._wanted.get((account_id, operation), ()) if one.until > now]

    @property
    def idle(self) -> bool:
        """Whether no capture is running."""
        return not self._wanted

    def submit(self, captures: Iterable[Capture], look: Look) -> None:
        """Record an exchange for the captures that want it, beside the call."""
        if len(self._handing) >= MOST_PENDING:
            get_logger().warning("capture_lost_an_exchange", pending=len(self._handing))
            return
        task = asyncio.create_task(self._submit(tuple(captures), look))
        self._handing.add(task)
        task.add_done_callback(self._handing.discard)

    async def _submit(self, captures: Sequence[Capture], look: Look) -> None:
        exchange = await self._off_loop(look)
        for capture in captures:
            await self._store.put(capture, exchange)

    async def run(self, account_id: str, operation: Operation, seconds: float) -> AsyncGenerator[Capture | Exchange]:
        """Yield the capture when every replica looks, then what is seen until it is over.

        Raises InvalidRequest, NotFound, Unavailable.
        """
        if not LEAST_SECONDS <= seconds <= MOST_SECONDS:
            raise InvalidRequest.of_field(
                "duration", f"must be {LEAST_SECONDS:.0f} s at least and {MOST_SECONDS / 60:.0f} minutes at most"
            )
        capture = Capture(self._new_id(), account_id, operation.name, self._clock.wall() + LOOK_SECONDS + seconds)
        await self._log.record(capture, seconds)
        await self._store.begin(capture)
        try:
            self._update([*self._all(), capture])
            await self._clock.sleep(LOOK_SECONDS)
            yield capture
            while self._clock.wall() < capture.until:
                await self._clock.sleep(TELL_SECONDS)
                for exchange in await self._store.take(capture):
                    yield exchange
                if is_cancelled():
                    raise asyncio.CancelledError  # redis-py may have swallowed it
        finally:
            self._update(one for one in self._all() if one != capture)
            await asyncio.shield(self._store.end(capture))

    async def follow(self) -> None:
        """Look for other replicas' captures until cancelled."""
        while True:
            self._update(await self._store.wanted())
            await self._clock.sleep(LOOK_SECONDS)

    def _all(self) -> Iterable[Capture]:
        return [one for each in self._wanted.values() for one in each]

    def _update(self, captures: Iterable[Capture]) -> None:
        found: dict[tuple[str, str], list[Capture]] = {}
        for capture in captures:
            if capture.until > self._clock.wall():
                found.setdefault((capture.account_id, capture.operation), []).append(capture)
        self._wanted = found


@asynccontextmanager
async def open_captures(
    store: CaptureStore, log: CaptureLog, clock: Clock, new_id: Callable[[], str], background: BackgroundTasks
) -> AsyncIterator[Captures]:
    """Know of captures while the body runs."""
    pool = ThreadPoolExecutor(1, thread_name_prefix="captures")
    captures = Captures(store, log, clock, new_id, partial(asyncio.get_running_loop().run_in_executor, pool))
    try:
        async with background.run("captures", captures.follow):
            yield captures
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
