"""The event loop: virtual time, and a seeded order of the processes that are ready to run.

Each process ("node") has a queue of its own, in the order that asyncio guarantees. The loop chooses between the queues at random,
as an operating system does, and time advances only when no process is ready.
"""

import asyncio
import traceback
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from heapq import heappop, heappush
from random import Random
from typing import Any

EPOCH = 1_790_000_000.0
"""The wall clock at the start of a run, in seconds since 1970."""
# The most callbacks without a change of time; more are an endless loop.
MOST_STEPS = 200_000


class Node:
    """A process, or one of its incarnations. `skew` is the error of its wall clock in seconds.

    `offset` is the start of its monotonic clock in seconds, which differs from that of every other node.
    """

    def __init__(self, name: str, skew: float = 0.0, offset: float = 0.0) -> None:
        self.name = name
        self.skew = skew
        self.offset = offset
        self.alive = True
        self.frozen = False
        self.ready: deque[Handle] = deque()
        self.tasks: list[asyncio.Task[Any]] = []
        self.prune_at = 64
        self.context: Context | None = None

    def __repr__(self) -> str:
        return self.name

    def running(self) -> list[str]:
        """Return the names of the coroutines whose tasks have not ended, sorted."""
        return sorted(str(getattr(task.get_coro(), "__qualname__", "")) for task in self.tasks if not task.done())


WORLD = Node("world")
"""What is no process: the workload, the faults and the network itself."""
NODE: ContextVar[Node] = ContextVar("simulation_node", default=WORLD)


class NoProgress(Exception):
    """An endless loop of callbacks, or no timer while a result is awaited."""


class Handle:
    """A callback of a node, without what asyncio's handle has for its debug mode; a cancelled one has no callback."""

    __slots__ = ("args", "callback", "context", "node")

    def __init__(self, callback: Any, args: tuple[Any, ...], context: Context, node: Node) -> None:
        self.callback = callback
        self.args = args
        self.context = context
        self.node = node

    def __repr__(self) -> str:
        return f"<callback {getattr(self.callback, '__qualname__', type(self.callback).__name__)}>"

    def cancel(self) -> None:
        """Leave the callback out when its turn comes."""
        self.callback = self.args = None

    def cancelled(self) -> bool:
        """Return whether it is left out."""
        return self.callback is None


class SimulationLoop(asyncio.BaseEventLoop):
    """A loop without I/O. `random` decides which ready node runs next."""

    # Each future asks for it; without a Python function in between this costs next to nothing.
    get_debug = bool  # type: ignore[assignment]

    def __init__(self, random: Random) -> None:
        super().__init__()
        self.now = 0.0
        self.steps = 0
        self.errors: list[str] = []
        self._nodes: dict[Node, None] = {}
        self.aborted = False
        self.connect: Callable[..., Coroutine[Any, Any, Any]] | None = None
        self._random = random
        self._timers: list[tuple[float, int, Handle]] = []
        self._numbers = 0
        self._runnable: list[Node] = []
        self._most_steps = MOST_STEPS
        self.set_exception_handler(self._record_error)

    def time(self) -> float:
        """Return the present node's monotonic time in seconds."""
        return self.now + NODE.get().offset

    def call_soon(self, callback: Callable[..., Any], *args: Any, context: Context | None = None) -> Handle:  # type: ignore[override]
        """Append a callback to the queue of its node."""
        if context is None:
            context = copy_context()
        node = context.get(NODE) or WORLD
        handle = Handle(callback, args, context, node)
        if node.alive:
            if not node.ready and not node.frozen:
                self._runnable.append(node)
            node.ready.append(handle)
        return handle

    call_soon_threadsafe = call_soon

    def call_later(
        self, delay: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> Handle:
        """Call back after `delay` seconds."""
        return self._call_at(self.now + delay, callback, args, copy_context() if context is None else context)

    def call_at(self, when: float, callback: Callable[..., Any], *args: Any, context: Context | None = None) -> Handle:
        """Call back at a time of the present node's monotonic clock, in seconds."""
        context = copy_context() if context is None else context
        return self._call_at(max(self.now, when - NODE.get().offset), callback, args, context)

    def _call_at(self, when: float, callback: Callable[..., Any], args: tuple[Any, ...], context: Context) -> Handle:
        handle = Handle(callback, args, context, context.get(NODE) or WORLD)
        self._numbers += 1
        heappush(self._timers, (when, self._numbers, handle))
        return handle

    def create_future(self) -> "asyncio.Future[Any]":
        """Return a future of this loop."""
        return asyncio.Future(loop=self)

    def create_task(  # type: ignore[override]
        self, coroutine: Coroutine[Any, Any, Any], *, name: str | None = "", context: Context | None = None
    ) -> "asyncio.Task[Any]":
        """Start a task of the node of its context."""
        if context is None:
            context = copy_context()
        node = context.get(NODE) or WORLD
        task: asyncio.Task[Any] = asyncio.Task(coroutine, loop=self, name=name, context=context)
        tasks = node.tasks
        if not tasks:
            self._nodes[node] = None
        tasks.append(task)
        if len(tasks) >= node.prune_at:
            node.tasks = [one for one in tasks if not one.done()]
            node.prune_at = 2 * len(node.tasks) + 64
        return task

    def pending(self) -> "list[asyncio.Task[Any]]":
        """Return the tasks that have not ended, also those of dead nodes."""
        return [task for node in self._nodes for task in node.tasks if not task.done()]

    def run_task(self, main: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine to its end and return its result. Raises NoProgress, and what the coroutine raises."""
        asyncio.events._set_running_loop(self)  # type: ignore[attr-defined]
        _RUNNING[0] = self
        try:
            task = self.create_task(main)
            runnable, random, is_done = self._runnable, self._random.random, task.done
            while not is_done() and not self.aborted:
                if not runnable:
                    node, handle = self._advance()
                else:
                    index = int(random() * len(runnable)) if len(runnable) > 1 else 0
                    node = runnable[index]
                    ready = node.ready
                    handle = ready.popleft() if ready and not node.frozen else None
                    if not ready or node.frozen:
                        runnable[index] = runnable[-1]
                        runnable.pop()
                    if handle is None or handle.callback is None:
                        continue
                self.steps += 1
                if self.steps > self._most_steps:
                    raise NoProgress(f"{node.name} runs callbacks without end: {handle!r}"[:300])
                try:
                    handle.context.run(handle.callback, *handle.args)
                except (SystemExit, KeyboardInterrupt):
                    raise
                except BaseException as error:  # noqa: BLE001  (as asyncio does)
                    words = f"Exception in callback {handle.callback}"
                    self.call_exception_handler({"message": words, "exception": error})
            return None if self.aborted else task.result()
        finally:
            asyncio.events._set_running_loop(None)  # type: ignore[attr-defined]

    def _advance(self) -> "tuple[Node, Handle]":
        """Advance the time to the next timer, and return its node and its callback. Raises NoProgress."""
        timers = self._timers
        while timers:
            when, _, handle = heappop(timers)
            node = handle.node
            if handle.callback is None or not node.alive:
                continue
            if when > self.now:
                self.now, self._most_steps = when, self.steps + MOST_STEPS
            if not node.frozen and not node.ready:
                return node, handle
            node.ready.append(handle)
        raise NoProgress("No callback and no timer is left, but the run has not ended.")

    def freeze(self, node: Node, seconds: float) -> None:
        """Stop a node as SIGSTOP does, and let it continue after `seconds`."""

        def thaw() -> None:
            node.frozen = False
            if node.ready:
                self._runnable.append(node)

        node.frozen = True
        self.call_later(seconds, thaw, context=_WORLD_CONTEXT.copy())

    def kill(self, node: Node) -> None:
        """End a node at once: none of its callbacks runs any more, not even the end of a `with` block."""
        node.alive = False
        node.ready.clear()
        for task in node.tasks:
            task._log_destroy_pending = False  # type: ignore[attr-defined]
        GRAVEYARD.extend(node.tasks)

    async def create_connection(self, factory: Any, host: Any = None, *_: Any, **__: Any) -> Any:  # type: ignore[override]
        """Connect to a simulated server."""
        assert self.connect is not None
        return await self.connect(NODE.get(), factory, str(host))

    def _record_error(self, _: Any, context: dict[str, Any]) -> None:
        error, task = context.get("exception"), context.get("task") or context.get("future")
        name = getattr(task.get_coro(), "__qualname__", "") if isinstance(task, asyncio.Task) else ""
        # The message of a callback's error holds addresses, which differ between two runs of a seed.
        what = str(context.get("message")).partition(" in callback ")[0]
        where = (
            [f"{step.name}:{step.lineno}" for step in traceback.extract_tb(error.__traceback__)[-3:]] if error else []
        )
        self.errors.append(f"{what} {name} {type(error).__name__}: {error} {' '.join(where)}"[:300])


GRAVEYARD: list[Any] = []
"""Tasks of dead nodes. They are kept until the end of the run, because a deleted one would run its `finally` blocks."""
_WORLD_CONTEXT = Context()


_RUNNING: list[SimulationLoop] = [None]  # type: ignore[list-item]
"""The loop that runs. asyncio asks the operating system for the process' number each time that it returns it."""
_CURRENT_TASKS: Any = asyncio.tasks._current_tasks  # type: ignore[attr-defined]


def run_on(node: Node, callback: Callable[..., Any], *args: Any) -> Any:
    """Return the result of a callback that runs at once as a part of `node`."""
    return _context_of(node).run(callback, *args)


def start_on(node: Node, coroutine: Coroutine[Any, Any, Any], name: str = "") -> "asyncio.Task[Any]":
    """Start a task of a node, without the caller's context variables."""
    return _RUNNING[0].create_task(coroutine, name=name, context=_context_of(node))


def later_on(node: Node, seconds: float, callback: Callable[..., Any], *args: Any) -> Handle:
    """Call back as a part of a node after `seconds`."""
    loop = _RUNNING[0]
    context = node.context
    handle = Handle(callback, args, _context_of(node) if context is None else context.copy(), node)
    loop._numbers += 1
    heappush(loop._timers, (loop.now + seconds, loop._numbers, handle))
    return handle


def now() -> float:
    """Return the seconds since the start of the run."""
    return _RUNNING[0].now


def current_task() -> "asyncio.Task[Any]":
    """Return the task that runs."""
    return _CURRENT_TASKS[_RUNNING[0]]


def _context_of(node: Node) -> Context:
    if node.context is None:
        node.context = Context()
        node.context.run(NODE.set, node)
    return node.context.copy()
