"""A soak: a mixed load for half an hour with faults at random, and the slopes of what each process holds."""

import argparse
import asyncio
import json
import random
import re
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from sellergate_devstack.processes.ports import LOOPBACK
from sellergate_devstack.servers.redis import NoRedis

from chaos.acting import acting, seconds_of
from chaos.faults import Scenario, singles
from chaos.history import History
from chaos.invariants import BUGS, Violation
from chaos.load import Load, loaded, open_quotas
from chaos.quiescence import Logs, at_rest
from chaos.run import SELLERS
from chaos.sellers import connect
from chaos.world import World, running

FILE = Path("dist/soak.json")
SAMPLE_SECONDS, PAUSE_SECONDS = 5.0, 10.0
_METRICS_SECONDS = 2.0
_TASKS = re.compile(r"^chaos_tasks ([\d.]+)$", re.MULTILINE)
# The first part of a run fills caches and pools, and is not part of the slopes.
WARM_SHARE = 1 / 3
# The most that each figure may grow in the rest of a run, as a share of its mean, and in absolute terms.
MOST_SHARE = 0.10
MOST = {"memory": 8.0, "descriptors": 12.0, "sockets": 12.0, "threads": 3.0, "tasks": 12.0, "connections": 12.0}
# A fault that ends a process would reset its figures, and the storm of new accounts would fill its caches.
_NO = ("kill", "roll", "storm", "restart")


@dataclass
class Figures:
    """The samples of one figure of one process: seconds since the start, and values."""

    times: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    def add(self, at: float, value: float) -> None:
        """Add a sample."""
        self.times.append(at)
        self.values.append(value)

    def growth(self, since: float, until: float = float("inf")) -> tuple[float, float]:
        """Return by how much the line of least squares rises between two times, and the mean."""
        pairs = [(at, value) for at, value in zip(self.times, self.values, strict=True) if since <= at <= until]
        if len(pairs) < 2:
            return 0.0, 0.0
        mean_at, mean = (sum(one[index] for one in pairs) / len(pairs) for index in (0, 1))
        spread = sum((at - mean_at) ** 2 for at, _ in pairs)
        slope = sum((at - mean_at) * (value - mean) for at, value in pairs) / spread if spread else 0.0
        return slope * (pairs[-1][0] - pairs[0][0]), mean

    def steady_growth(self, since: float) -> float:
        """Return the growth after `since` that both halves of this time have in common.

        A leak grows in both. A pool that a fault fills once, to its bound, grows in one.
        """
        middle = (since + self.times[-1]) / 2
        return 2 * min(self.growth(since, middle)[0], self.growth(middle)[0])


Grown = dict[str, dict[str, Figures]]


def figures_of(pid: int) -> dict[str, float]:
    """Return a process's memory in MiB, open descriptors, sockets and threads; see proc(5)."""
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    open_files = list(_links(Path(f"/proc/{pid}/fd")))
    return {
        "memory": int(lines["VmRSS"].split()[0]) / 1024,
        "descriptors": float(len(open_files)),
        "sockets": float(sum(one.startswith("socket:") for one in open_files)),
        "threads": float(lines["Threads"]),
    }


async def tasks_of(client: httpx.AsyncClient, port: int) -> dict[str, float]:
    """Return the number of a process's tasks, from its metrics; nothing while it does not respond."""
    try:
        text = (await client.get(f"http://{LOOPBACK}:{port}/metrics")).text
    except httpx.HTTPError:
        return {}
    found = _TASKS.search(text)
    return {"tasks": float(found[1])} if found else {}


def _links(folder: Path) -> list[str]:
    found = []
    for one in folder.iterdir():
        try:
            found.append(str(one.readlink()))
        except OSError:
            continue  # closed in the meantime
    return found


async def soak(seconds: float, seed: int) -> tuple[Grown, list[str], list[Violation]]:
    """Run the soak; return the figures by process, the names of the faults, and what was not at rest in the end."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sellergate-chaos-")))
        world = await stack.enter_async_context(running(folder))
        await open_quotas(world)
        load = await stack.enter_async_context(loaded(world, await connect(world, SELLERS), seed))
        logs, end = Logs(world), time.monotonic() + seconds
        working = asyncio.create_task(load.run(1))
        sampling = asyncio.create_task(_sample(world, end))
        faults, bugs = await _disturb(load, random.Random(seed), end)
        figures = await sampling
        load.stop()
        await working
        _, violations = await at_rest(world)
        return figures, faults, [*bugs, *violations, *logs.check()]


async def _sample(world: World, end: float) -> Grown:
    began, found = time.monotonic(), dict[str, dict[str, Figures]]()
    async with httpx.AsyncClient(timeout=_METRICS_SECONDS, trust_env=False) as client:
        while time.monotonic() < end:
            samples = {"relays": {"connections": float(world.relays.connections())}}
            for name, process in world.services.items():
                samples[name] = figures_of(process.pid) | await tasks_of(client, world.metrics[name])
            for name, values in samples.items():
                for figure, value in values.items():
                    found.setdefault(name, {}).setdefault(figure, Figures()).add(time.monotonic() - began, value)
            await asyncio.sleep(SAMPLE_SECONDS)
    return found


async def _disturb(load: Load, chance: random.Random, end: float) -> tuple[list[str], list[Violation]]:
    """Start and end faults by chance; none in the last tenth of the time, so that all connections have settled.

    Return their names, and the outcomes that no fault explains.
    """
    possible: list[Scenario] = [one for one in singles() if not any(word in one.name for word in _NO)]
    found, bugs, last = list[str](), list[Violation](), end - (end - time.monotonic()) / 10
    while time.monotonic() < end:
        if time.monotonic() < last:
            scenario = chance.choice(possible)
            found.append(scenario.name)
            async with acting(load, scenario.faults):
                await asyncio.sleep(seconds_of(scenario.faults))
        await asyncio.sleep(min(PAUSE_SECONDS, max(0.0, end - time.monotonic())))
        # A soak keeps no history, but for the operations that have not ended.
        ended = [one for one in load.history.operations if one.ended]
        bugs += [
            Violation(
                "error", f"{one.kind} ended with {one.outcome or 'no outcome'} around {found[-1]}: {one.message:.300}"
            )
            for one in ended
            if one.outcome in BUGS
        ]
        load.history = History([one for one in load.history.operations if not one.ended])
    return found, bugs


def judge(figures: Grown, seconds: float) -> tuple[list[str], list[str]]:
    """Return a row for each figure of each process, and the rows of those that grow."""
    rows, broken = list[str](), list[str]()
    for name, ones in figures.items():
        for figure, values in ones.items():
            grown, mean = values.growth(WARM_SHARE * seconds)
            hours = seconds * (1 - WARM_SHARE) / 3600
            line = f"{grown:+6.1f} in {60 * hours:.0f} min, {grown / hours:+7.1f} an hour"
            row = f"{name:12} {figure:12} mean {mean:7.1f}   {line}"
            rows.append(row)
            if values.steady_growth(WARM_SHARE * seconds) > max(MOST[figure], MOST_SHARE * mean):
                broken.append(row)
    return rows, broken


def main() -> int:
    """Run the soak; return 0 if nothing grows, 1 otherwise, 2 where a server is missing."""
    parser = argparse.ArgumentParser(prog="make soak", description="Load for a long time, with faults at random.")
    parser.add_argument("--seconds", type=float, default=1800.0, help="for how long (default: 1800)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the load and of the faults (default: 1)")
    options = parser.parse_args()
    try:
        figures, faults, violations = asyncio.run(soak(options.seconds, options.seed))
    except (FileNotFoundError, NoRedis) as error:
        print(f"NOT RUN: {error}", file=sys.stderr)
        return 2
    rows, broken = judge(figures, options.seconds)
    print(*rows, sep="\n")
    print(f"\n{len(faults)} faults; {len(broken)} figures grow; {len(violations)} invariants broken in the end")
    print(*broken, *map(str, violations), sep="\n")
    FILE.parent.mkdir(exist_ok=True)
    found = {"seed": options.seed, "seconds": options.seconds, "violations": [*broken, *map(str, violations)]}
    document = {name: {one: figures[name][one].__dict__ for one in figures[name]} for name in figures}
    FILE.write_text(json.dumps({**found, "faults": faults, "growth": rows, "figures": document}) + "\n")
    return int(bool(broken or violations))


if __name__ == "__main__":
    sys.exit(main())
