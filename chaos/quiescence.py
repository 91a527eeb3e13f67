"""The state after a scenario: nothing in progress or left behind, each condition well, and logs without bugs or secrets."""

import asyncio
import json
import re
import time
from collections.abc import Iterator

import httpx
from sellergate_devstack.processes.ports import LOOPBACK

from chaos.invariants import Violation
from chaos.world import World
from tests.e2e.hunt import SEALED, SHAPES

# The seconds within which everything is at rest: a lease ends by itself, and a breaker tries again.
REST_SECONDS = 60.0
_PAUSE_SECONDS = 0.5
_SAMPLE = re.compile(r"^(sellergate_\w+)(\{[^}]*\})? ([-+.\deE]+)$", re.MULTILINE)
_ZERO = frozenset({"sellergate_rpc_in_flight", "sellergate_breaker_open", "sellergate_breaker_open_users"})
_ONE = frozenset({"sellergate_dependency_up", "sellergate_background_up"})
_BUG_EVENTS = frozenset({"bug", "flight_overdue", "task_did_not_end"})


async def at_rest(world: World) -> tuple[float, list[Violation]]:
    """Wait until everything is at rest; return the seconds that it took, and what is not at rest in the end."""
    began = time.monotonic()
    left: set[str] | None = None
    while True:
        now = await _busy(world)
        # What was at rest once is: the services' own requests come and go.
        left = now if left is None else left & now
        seconds = time.monotonic() - began
        if not left:
            return seconds, []
        if seconds > REST_SECONDS:
            return seconds, [Violation("quiescent", words) for words in sorted(left)]
        await asyncio.sleep(_PAUSE_SECONDS)


async def _busy(world: World) -> set[str]:
    """Return what is in progress or not well, each in a few words."""
    found = set[str]()
    async with httpx.AsyncClient(timeout=5, trust_env=False) as client:
        for name, port in world.metrics.items():
            try:
                text = (await client.get(f"http://{LOOPBACK}:{port}/metrics")).text
            except httpx.HTTPError as error:
                found.add(f"{name}: no metrics ({type(error).__name__})")
                continue
            found |= {f"{name}: {words}" for words in _unwell(text)}
    try:
        found |= {f"a lease is left: {key}" for key in await asyncio.to_thread(_leases, world)}
        if await asyncio.to_thread(world.database.idle_in_transaction):
            found.add("a transaction is left in PostgreSQL")
    except Exception as error:  # noqa: BLE001  (whatever the servers raise while they start: not at rest)
        found.add(f"a server does not respond ({type(error).__name__})")
    return found


def _unwell(text: str) -> Iterator[str]:
    for name, labels, value in _SAMPLE.findall(text):
        is_work = name == "sellergate_admission" and "at most" not in labels
        if (name in _ZERO or is_work) and float(value) != 0:
            yield f"{name}{labels} is not 0"
        if name in _ONE and float(value) != 1:
            yield f"{name}{labels} is not 1"


def _leases(world: World) -> list[str]:
    """Return the names of all leases in Redis."""
    return [key for server in world.primaries() for key in server.execute("KEYS", "*lease*")]


class Logs:
    """The processes' logs, of which each part is read once."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._read: dict[str, int] = {}

    def check(self) -> list[Violation]:
        """Return what the new lines show: bugs, tracebacks, errors and secrets."""
        found = []
        for name, process in self._world.services.items():
            with process.log.open("rb") as log:
                log.seek(self._read.get(name, 0))
                text = log.read()
            self._read[name] = self._read.get(name, 0) + len(text)
            clear = SEALED.sub(b"", text)
            leaks = (one for shape in SHAPES for one in shape.findall(clear))
            found += [Violation("leak", f"{name} logs {one[:12]!r}") for one in leaks]
            found += [Violation("log", f"{name}: {words}") for line in text.splitlines() if (words := _bug(line))]
        return found


def _bug(line: bytes) -> str:
    """Return what a line of a log says about a bug; empty for any other line."""
    if b"Traceback" in line:
        return line.decode(errors="replace")[-600:]
    try:
        event = json.loads(line)
    except ValueError:
        return ""
    if not isinstance(event, dict):
        return ""
    is_bug = event.get("event") in _BUG_EVENTS or event.get("level") in ("error", "critical")
    return line.decode(errors="replace")[:600] if is_bug else ""
