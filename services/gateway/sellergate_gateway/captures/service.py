"""Captures: for a limited time, the calls of one account that any replica makes are shown live, or listed."""

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
# Seconds until other replicas have read a capture, and between two reads of captured exchanges.
LOOK_SECONDS, PUBLISH_SECONDS = 2.0, 0.2
MOST_PENDING = 64
"""The most exchanges that wait to be redacted or stored; further ones are dropped, so that a capture cannot fill the memory."""
Look = Callable[[], Exchange]


@dataclass(frozen=True, slots=True)
class Capture:
    """A capture of an account's operation, with its end in seconds since the epoch. A listed one is of all operations ("")."""

    id: str
    account_id: str
    operation: str
    until: float

    @property
    def is_listed(self) -> bool:
        """Whether its exchanges are kept as a list without bodies, instead of being taken by one operator."""
        return not self.operation


class CaptureStore(Protocol):
    """A store of captures and of the exchanges that each replica captured."""

    async def begin(self, capture: Capture) -> None:
        """Publish a capture to all replicas. Raises Unavailable."""

    async def end(self, capture: Capture) -> None:
        """Delete a capture and the exchanges that wait for its operator; both also expire. A list of exchanges stays."""

    async def wanted(self) -> Iterable[Capture]:
        """Return the published captures; none if the store does not respond."""

    async def put(self, capture: Capture, exchange: Exchange) -> None:
        """Store captured exchanges. They are lost if the store does not respond."""

    async def take(self, capture: Capture) -> Sequence[Exchange]:
        """Remove and return the exchanges stored since the last call. Raises Unavailable."""


class CaptureLog(Protocol):
    """The account service's audit log."""

    async def record(self, capture: Capture, seconds: float) -> None:
        """Record a capture before it starts, with its caller and user. Raises NotFound, Unavailable."""


class Captures:
    """The captures that this replica has read."""

    def __init__(
        self,
        store: CaptureStore,
        log: CaptureLog,
        clock: Clock,
        new_id: Callable[[], str],
        off_loop: Callable[[Look], Awaitable[Exchange]],
    ) -> None:
        """Take the dependencies. `off_loop` redacts in a thread, since one user's data must not block the calls of others."""
        self._clock = clock
        self._off_loop = off_loop
        self._new_id = new_id
        self._store = store
        self._log = log
        self._wanted: dict[tuple[str, str], list[Capture]] = {}
        self._handing: set[asyncio.Task[None]] = set()

    def of(self, account_id: str, operation: str) -> Sequence[Capture]:
        """Return the running captures of an account's operation, including those of all operations."""
        if not self._wanted:
            return ()
        now = self._clock.wall()
        found = (*self._wanted.get((account_id, operation), ()), *self._wanted.get((account_id, ""), ()))
        return [one for one in found if one.until > now]

    @property
    def listed(self) -> Sequence[Capture]:
        """The captures whose exchanges are listed, as this replica has read them."""
        return [one for one in self._all() if one.is_listed]

    @property
    def idle(self) -> bool:
        """True while no capture is running."""
        return not self._wanted

    def submit(self, captures: Iterable[Capture], look: Look) -> None:
        """Record an exchange for its captures, without a delay of the call."""
        captures = tuple(captures)
        # A user's own captures leave room for those of operators.
        most = MOST_PENDING // 2 if all(one.is_listed for one in captures) else MOST_PENDING
        if len(self._handing) >= most:
            get_logger().warning("capture_lost_an_exchange", pending=len(self._handing))
            return
        task = asyncio.create_task(self._submit(captures, look))
        self._handing.add(task)
        task.add_done_callback(self._handing.discard)

    async def _submit(self, captures: Sequence[Capture], look: Look) -> None:
        exchange = await self._off_loop(look)
        for capture in captures:
            await self._store.put(capture, exchange.without_bodies() if capture.is_listed else exchange)

    async def begin(self, capture: Capture, seconds: float) -> None:
        """Start a capture after it was recorded; one with the same id is replaced. Raises NotFound, Unavailable."""
        check_duration(seconds)
        await self._log.record(capture, seconds)
        await self._store.begin(capture)
        self._update([*(one for one in self._all() if one.id != capture.id), capture])

    async def end(self, capture: Capture) -> None:
        """End a capture. Other replicas end it when they have read that."""
        self._update(one for one in self._all() if one.id != capture.id)
        await self._store.end(capture)

    async def run(self, account_id: str, operation: Operation, seconds: float) -> AsyncGenerator[Capture | Exchange]:
        """Yield the capture when every replica has read it, then the exchanges until it is over.

        Raises InvalidRequest, NotFound, Unavailable.
        """
        capture = Capture(self._new_id(), account_id, operation.name, self._clock.wall() + LOOK_SECONDS + seconds)
        await self.begin(capture, seconds)
        try:
            await self._clock.sleep(LOOK_SECONDS)
            yield capture
            while self._clock.wall() < capture.until:
                await self._clock.sleep(PUBLISH_SECONDS)
                for exchange in await self._store.take(capture):
                    yield exchange
                if is_cancelled():
                    raise asyncio.CancelledError  # redis-py may have swallowed the cancellation
        finally:
            await asyncio.shield(self.end(capture))

    async def follow(self) -> None:
        """Read the captures of other replicas until cancelled."""
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


def check_duration(seconds: float) -> None:
    """Raise InvalidRequest for a duration of a capture that is not permitted."""
    if not LEAST_SECONDS <= seconds <= MOST_SECONDS:
        words = f"must be from {LEAST_SECONDS:.0f} s to {MOST_SECONDS / 60:.0f} minutes"
        raise InvalidRequest.of_field("duration", words)


@asynccontextmanager
async def open_captures(
    store: CaptureStore, log: CaptureLog, clock: Clock, new_id: Callable[[], str], background: BackgroundTasks
) -> AsyncIterator[Captures]:
    """Yield the captures, and read those of other replicas while the body runs."""
    pool = ThreadPoolExecutor(1, thread_name_prefix="captures")
    captures = Captures(store, log, clock, new_id, partial(asyncio.get_running_loop().run_in_executor, pool))
    try:
        async with background.run("captures", captures.follow):
            yield captures
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
