"""The seconds until a started process is healthy, beside `python -c 'import grpc'`; all other services run meanwhile."""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import uvloop
from sellergate_devstack.suite import Suite

from benches.suites import bench_suite

SERVICES, ROUNDS, AT_MOST = ("account", "token", "iam", "gateway", "edge"), 5, 15.0


async def main() -> int:
    """Print the ratios; return how many are above the target."""
    with tempfile.TemporaryDirectory() as folder:
        async with bench_suite(Path(folder)) as (suite, _):
            imports: list[float] = []
            starts: dict[str, list[float]] = {name: [] for name in SERVICES}
            for _ in range(ROUNDS):
                imports.append(_imported())
                for name in SERVICES:
                    starts[name].append(await _started(suite, name))
    bare = statistics.median(imports)
    print(f"python -c 'import grpc'   {bare * 1000:6.0f} ms")
    missed = 0
    for name in SERVICES:
        ratio = statistics.median(starts[name]) / bare
        print(f"{name + ' until healthy':25} ratio {ratio:.1f} (at most {AT_MOST:.0f})")
        missed += ratio > AT_MOST
    return missed


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


if __name__ == "__main__":
    sys.exit(uvloop.run(main()))
