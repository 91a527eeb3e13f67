"""The places that are searched: all that a suite writes, holds in its stores, serves, or shows to other processes."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
from redis.asyncio import Redis
from sellergate_devstack.processes.ports import LOOPBACK
from sellergate_devstack.suite import Suite
from sellergate_edge.console.assets import FOLDER

from leaks.world import World
from tests.e2e import hunt
from tests.paths import ROOT

# The files of a local run that hold its secrets, each readable by its owner only.
SECRET_FILES = ("keys", "certificates", "demo.json", "simulator-seed.json", "redis.conf")
# Variables that hold a secret which a local run passes to a process by its environment, which only its owner can read.
SECRET_VARIABLES = (b"AWS_SECRET_ACCESS_KEY=", b"AWS_ACCESS_KEY_ID=", b"REDIS_URL=")
SERVICES = ("account", "token", "iam", "gateway", "edge")
_CORE = re.compile(r"^Max core file size +(\S+) +(\S+) ", re.MULTILINE)


async def places_of(world: World) -> dict[str, bytes]:
    """Return the contents of all places by their names."""
    suite, folder = world.suite, world.suite.plan.state.folder
    async with Redis.from_url(suite.plan.redis_address) as redis:
        await redis.save()
    return {
        **await hunt.places_of(suite),
        **{f"file {path.relative_to(folder)}": path.read_bytes() for path in open_files(folder)},
        **dict(shown_processes(suite)),
        **{f"output of {name}": text for name, text in world.outputs.items()},
        "traces": bytes(world.collector.raw),
        "REST responses": b"\n".join(world.rest.responses),
        "metrics": await metrics(suite),
        "console": await console(suite),
        "documentation": b"\n".join(path.read_bytes() for path in documentation()),
    }


def open_files(folder: Path) -> list[Path]:
    """Return all files of a local run except those that hold its secrets; Redis's dump and core dumps are among them."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return [path for path in files if not set(path.relative_to(folder).parts) & set(SECRET_FILES)]


def shown_processes(suite: Suite) -> Iterator[tuple[str, bytes]]:
    """Yield the arguments and the environment of each process, as `ps` shows them."""
    for name, pid in suite.pids.items():
        process = Path("/proc") / str(pid)
        yield f"arguments of {name}", process.joinpath("cmdline").read_bytes()
        variables = process.joinpath("environ").read_bytes().split(b"\0")
        yield f"environment of {name}", b"\0".join(one for one in variables if not one.startswith(SECRET_VARIABLES))


def dumping_processes(suite: Suite) -> list[str]:
    """Return the services whose limit permits a core dump of more than one byte."""
    limits = {name: _CORE.search(Path(f"/proc/{suite.pids[name]}/limits").read_text()) for name in SERVICES}
    return [name for name, found in limits.items() if found is None or not set(found.groups()) <= {"0", "1"}]


async def metrics(suite: Suite) -> bytes:
    """Return what each process reports on its metrics port."""
    base = suite.plan.settings.metrics_base_port
    async with httpx.AsyncClient(trust_env=False) as client:
        pages = [await client.get(f"http://{LOOPBACK}:{base + number}/metrics") for number in range(5)]
    return b"\n".join(page.content for page in pages)


async def console(suite: Suite) -> bytes:
    """Return the console's page and its files."""
    async with httpx.AsyncClient(base_url=suite.edge, trust_env=False) as client:
        names = ["sellers", *(path.relative_to(FOLDER).as_posix() for path in sorted(FOLDER.rglob("*.*")))]
        pages = [await client.get(f"/console/{name}") for name in names]
    return b"\n".join(page.content for page in pages)


def documentation() -> list[Path]:
    """Return the built site if there is one, and the pages."""
    built = (path for path in (ROOT / "site").rglob("*") if path.suffix in (".html", ".json", ".js"))
    return [*sorted((ROOT / "docs").rglob("*.md")), *sorted(built), ROOT / "README.md"]
