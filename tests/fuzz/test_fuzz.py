"""Half an hour of inputs for every RPC and every route: no fault, no blocked loop, no growing memory."""

import asyncio
import json
import sys
from pathlib import Path

import httpx
import pytest

from simulation.result import write_result
from tests.e2e import hunt
from tests.e2e.conftest import Rest
from tests.fuzz.oracles import Logs
from tests.fuzz.run import Extent, Run
from tests.fuzz.world import USERS, World
from tests.system.test_schema import CHECKS

MOST_GROWTH = 1.10
MOST_PEAK_MEGABYTES = 400


@pytest.mark.timeout(0)
async def test_nothing_breaks(rest: Rest, control: httpx.AsyncClient, fast: None, extent: Extent) -> None:
    world = await World.made(rest, control)
    logs, run = Logs(rest.suite), Run(world, extent)
    found = await run()
    sizes = run.memory.report()
    print(f"RPCs: {run.callers.count.total()}; requests: {run.sockets.count.total()}")
    outcomes = {"RPCs by outcome": by_target(run.callers.count), "requests by status": by_target(run.sockets.count)}
    for title, counted in outcomes.items():
        print(f"{title}:", json.dumps(counted))
    print("memory in MiB:", json.dumps(sizes))
    print("worst callbacks:", json.dumps(logs.worst_callbacks()))
    leaks = hunt.find(await hunt.places_of(rest.suite), hunt.secrets_of(rest.suite))
    grown = {
        name: one for name, one in sizes.items() if one["growth"] > MOST_GROWTH or one["peak"] > MOST_PEAK_MEGABYTES
    }
    wrong = {
        "faults": str(found),
        "errors in logs": "\n".join(logs.faults()[:50]),
        "slow callbacks": "\n".join(logs.slow_callbacks()[:50]),
        "leaks": str(leaks or ""),
        "memory": str(grown or ""),
    }
    counts = {"rpcs": run.callers.count.total(), "requests": run.sockets.count.total()}
    result = {"seed": extent.seed, "seconds": extent.seconds, **counts, **outcomes, "memory": sizes, "wrong": wrong}
    write_result("fuzz", result)
    assert {name: text for name, text in wrong.items() if text} == {}, "\n\n".join(map("\n".join, wrong.items()))
    assert (await rest.request("GET", "/api/amazon/accounts", USERS[0])).status_code == 200


@pytest.mark.timeout(0)
async def test_the_document_holds(rest: Rest, fast: None, tmp_path: Path, extent: Extent) -> None:
    """Run schemathesis for a tenth of the time."""
    print("schemathesis:", await explored(rest, tmp_path, extent))


def by_target(count: dict[tuple[str, object], int]) -> dict[str, dict[str, int]]:
    """Return counts by target, then by outcome."""
    shown: dict[str, dict[str, int]] = {}
    for (target, outcome), number in sorted(count.items(), key=str):
        shown.setdefault(target, {})[str(outcome)] = number
    return shown


async def explored(rest: Rest, folder: Path, extent: Extent) -> str:
    """Run schemathesis over the OpenAPI document and return its summary."""
    configuration = folder / "schemathesis.toml"
    configuration.write_text("")
    command = ["-m", "schemathesis.cli", "--config-file", str(configuration), "run", f"{rest.suite.edge}/openapi.json"]
    command += ["--checks", CHECKS, "--max-time", str(max(1, int(extent.seconds / 10))), "--seed", str(extent.seed)]
    command += ["-H", f"Authorization: Bearer {rest.suite.jwt(USERS[0], 7200)}"]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output = (await process.communicate())[0].decode(errors="replace")
    assert process.returncode == 0, output[-8000:]
    return "; ".join(line.strip() for line in output.splitlines() if "generated" in line or "Test cases" in line)
