"""What the process shares with the real world, replaced while a run lasts: clocks, randomness, logs and registries of metrics."""

import asyncio
import copy
import gc
import os
import random
import sys
import time
import traceback
import uuid
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from types import SimpleNamespace
from typing import Any
from unittest import mock

import hiredis
import prometheus_client
import structlog
from redis import event
from redis.asyncio import client, connection
from redis.asyncio.observability import recorder
from redis.client import CaseInsensitiveDict
from sellergate_account.rpc import once
from sellergate_common.clock import SYSTEM_CLOCK
from sellergate_common.observability import logs
from sellergate_common.rpc import interceptors
from sellergate_gateway.calls import lateness
from sellergate_gateway.captures import service as captures
from sellergate_token import wiring as token_wiring

from simulation.world.loop import EPOCH, GRAVEYARD, NODE, WORLD, SimulationLoop
from simulation.world.timeouts import Timeout, wait_for


class _Nothing:
    """What can be awaited and does nothing."""

    def __await__(self) -> Iterator[Any]:
        return iter(())


_NOTHING = _Nothing()
# redis-py's function, without the one around it that looks for arguments which no caller gives any more.
_GET_CONNECTION: Any = connection.ConnectionPool.get_connection.__wrapped__  # type: ignore[attr-defined]


# A parser of requests has no state, and reads the descriptors of all fields when it is made.
_request_parser = lru_cache(interceptors.RequestParser)


def _callbacks(named: dict[str, Any]) -> CaseInsensitiveDict:
    """Return redis-py's functions for responses, whose names are in capitals."""
    callbacks = CaseInsensitiveDict({})
    dict.update(callbacks, named)
    return callbacks


# The policy of retries, of which there are none here, has nothing that is to be copied deeply.
_SHALLOW = SimpleNamespace(deepcopy=copy.copy)


def _record_nothing(*_: Any, **__: Any) -> _Nothing:
    return _NOTHING


def _pack_command(_: Any, *args: Any) -> list[bytes]:
    """Return a command in the protocol of Redis, made by hiredis, which redis-py's clients without asyncio use for it."""
    return [hiredis.pack_command((*args[0].split(), *args[1:]))]


class SimulatedDatetime(datetime):
    """A `datetime` whose present is the node's wall clock."""

    @classmethod
    def now(cls, tz: Any = None) -> datetime:
        """Return the node's present time."""
        return datetime.fromtimestamp(time.time(), tz or UTC)


@contextmanager
def replaced_world(
    seed: str, log: Callable[[str, dict[str, Any]], None], *, keeps: bool = False
) -> Iterator[SimulationLoop]:
    """Yield a loop whose time all code of this process sees meanwhile; randomness follows from `seed`.

    `log` receives each log event of level warning and above with its fields. With `keeps` nothing of the run is removed:
    for a process that runs a few seeds and then exits at once.
    """
    loop = SimulationLoop(random.Random(f"{seed} order"))
    entropy = random.Random(f"{seed} entropy")
    WORLD.ready.clear()
    WORLD.tasks.clear()

    def wall() -> float:
        return EPOCH + loop.now + NODE.get().skew

    def monotonic() -> float:
        return loop.now + NODE.get().offset

    def record(_: Any, level: str, event: Any) -> Any:
        if loop.is_closed():
            raise structlog.DropEvent
        if event.get("exc_info"):
            event["exception"] = traceback.format_exc()
        log(level, dict(event))
        raise structlog.DropEvent

    # A collection in the midst of a run would come at another moment in each process.
    gc.disable()
    before = random.getstate()
    random.seed(f"{seed} random")
    configured = structlog.get_config()
    structlog.configure(processors=[record], wrapper_class=structlog.make_filtering_bound_logger(30))
    with ExitStack() as stack:
        for place, name, value in (
            (time, "time", wall),
            (time, "monotonic", monotonic),
            (time, "time_ns", lambda: int(wall() * 1e9)),
            (asyncio, "timeout", Timeout),
            (asyncio, "wait_for", wait_for),
            (connection, "async_timeout", Timeout),
            # The weak references of asyncio are for its debuggers, and cost more than a task's first step.
            (asyncio.tasks._all_tasks, "add", lambda _: None),  # type: ignore[attr-defined]
            (os, "urandom", entropy.randbytes),
            (random, "_urandom", entropy.randbytes),
            (uuid, "uuid4", lambda: uuid.UUID(int=entropy.getrandbits(128), version=4)),
            (once, "datetime", SimulatedDatetime),
            (token_wiring, "datetime", SimulatedDatetime),
            # Ten measurements a second would be a quarter of all steps.
            (lateness, "PERIOD_SECONDS", 1.0),
            # No run has captures; the question for them would be a message a second.
            (captures, "LOOK_SECONDS", 20.0),
            (interceptors, "RequestParser", _request_parser),
            (recorder, "_get_or_create_collector", lambda: None),
            # Each command calls these functions six times; without a collector they do nothing.
            (client, "record_operation_duration", _record_nothing),
            (connection, "record_connection_count", _record_nothing),
            (connection, "get_pool_name", lambda _: ""),
            (connection, "copy", _SHALLOW),
            (client, "CaseInsensitiveDict", _callbacks),
            (connection.ConnectionPool, "get_connection", _GET_CONNECTION),
            # Its only listener sends new credentials, of which the simulated Redis has none.
            (event.EventDispatcher, "dispatch_async", _record_nothing),
            (connection.AbstractConnection, "pack_command", _pack_command),
            (logs, "_bound", logs._Bound(None, lambda *_: None)),
            (prometheus_client.CollectorRegistry, "register", lambda *_: None),
        ):
            stack.enter_context(mock.patch.object(place, name, value))
        stack.enter_context(_clock(wall, monotonic))
        try:
            yield loop
        finally:
            (_keep if keeps else _bury)(loop)
            random.setstate(before)
            structlog.configure(**configured)


@contextmanager
def _clock(wall: Callable[[], float], monotonic: Callable[[], float]) -> Iterator[None]:
    """Set the clock that modules bound at their import."""
    before = SYSTEM_CLOCK.wall, SYSTEM_CLOCK.monotonic
    object.__setattr__(SYSTEM_CLOCK, "wall", wall)
    object.__setattr__(SYSTEM_CLOCK, "monotonic", monotonic)
    try:
        yield
    finally:
        object.__setattr__(SYSTEM_CLOCK, "wall", before[0])
        object.__setattr__(SYSTEM_CLOCK, "monotonic", before[1])


def _keep(loop: SimulationLoop) -> None:
    """Keep all objects of a run that has ended, so that no `finally` block of its tasks runs during the next one."""
    _KEPT.append((loop, *loop.pending(), *GRAVEYARD, *WORLD.ready))
    GRAVEYARD.clear()
    WORLD.ready.clear()
    WORLD.tasks.clear()


_KEPT: list[Any] = []


def _bury(loop: SimulationLoop) -> None:
    """Close the loop and forget the tasks that were left; their `finally` blocks can do nothing any more."""
    for task in loop.pending():
        task._log_destroy_pending = False  # type: ignore[attr-defined]
    hook, sys.unraisablehook = sys.unraisablehook, lambda _: None
    try:
        loop.close()
        GRAVEYARD.clear()
        WORLD.ready.clear()
        WORLD.tasks.clear()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # Now, while no loop runs: a later collection would run their `finally` blocks as a part of the next run.
            gc.collect()
        gc.enable()
    finally:
        sys.unraisablehook = hook
