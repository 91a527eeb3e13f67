"""A hunt: all paths of a world, then the search of all its places."""

import asyncio
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from leaks.canaries import Canary, Leak, search
from leaks.paths import PATHS
from leaks.places import SECRET_VARIABLES, dumping_processes, places_of
from leaks.world import World, running_world
from tests.e2e import hunt

_SPANS_SECONDS = 5.0


@dataclass(slots=True)
class Hunted:
    """What a hunt searched for, where, and what it found."""

    seconds: float = 0.0
    paths: list[str] = field(default_factory=list)
    canaries: dict[str, int] = field(default_factory=dict)
    places: dict[str, int] = field(default_factory=dict)
    """The bytes that were searched in each place."""
    leaks: list[Leak] = field(default_factory=list)
    allowed: list[str] = field(
        default_factory=lambda: [f"{name.decode()[:-1]} in an environment" for name in SECRET_VARIABLES]
    )

    def document(self) -> dict[str, Any]:
        """Return all as JSON has it."""
        return asdict(self)


def hunted(code: Sequence[Path] = ()) -> Hunted:
    """Run a hunt over the installed code, or over other folders of code."""
    with tempfile.TemporaryDirectory(prefix="leaks-") as folder:
        return asyncio.run(_hunted(Path(folder), code))


async def _hunted(folder: Path, code: Sequence[Path]) -> Hunted:
    began, found = time.monotonic(), Hunted()
    async with running_world(folder, code) as world:
        world.canaries += [
            Canary("a key or a secret of the demo", secret.decode()) for secret in hunt.secrets_of(world.suite)
        ]
        for name, path in PATHS.items():
            await path(world)
            found.paths.append(name)
        await _settled(world)
        places = await places_of(world)
        dumping = dumping_processes(world.suite)
    found.leaks = [
        *search(places, world.canaries),
        *(Leak(f"core dumps of {name}", "its memory", "") for name in dumping),
    ]
    found.places = {name: len(text) for name, text in sorted(places.items())}
    for canary in world.canaries:
        found.canaries[canary.kind] = found.canaries.get(canary.kind, 0) + 1
    found.seconds = round(time.monotonic() - began, 1)
    return found


async def _settled(world: World) -> None:
    """Wait until the spans of the paths have arrived at the collector. Those of regular polls never end."""
    before, end = -1, time.monotonic() + _SPANS_SECONDS
    while len(world.collector.raw) > before and time.monotonic() < end:
        before = len(world.collector.raw)
        await asyncio.sleep(1)
