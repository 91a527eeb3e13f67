"""The seconds until a started process is healthy, beside `python -c 'import grpc'`; all other services run meanwhile."""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from sellergate_devstack.suite import Suite

from benches.effort import Effort
from benches.results import Result
from benches.suites import bench_suite

SERVICES = ("account", "token", "iam", "gateway", "edge")


async def measure(effort: Effort) -> Result:
    """Start each process in turn, several times."""
    with tempfile.TemporaryDirectory() as folder:
        async with bench_suite(Path(folder)) as suite:
            imports: list[float] = []
            starts: dict[str, list[float]] = {name: [] for name in SERVICES}
            for _ in range(effort.starts):
                imports.append(_imported())
                for name in SERVICES:
                    starts[name].append(await _started(suite, name))
    bare = statistics.median(imports)
    seconds = {name: statistics.median(each) for name, each in starts.items()}
    return Result(
        figures={f"start.{name}": one / bare for name, one in seconds.items()},
        series={"seconds": {"import grpc": bare, **seconds}},
    )


def _imported() -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import grpc"], check=True)
    return time.perf_counter() - began


async def _started(suite: Suite, name: str) -> float:
    process = suite.supervisor.processes[name]
    process.send(9)
    if process.handle is not None:
        process.handle.wait()
    began = time.perf_counter()
    process.start()
    await suite.supervisor.wait_healthy(process)
    return time.perf_counter() - began
