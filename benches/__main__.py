"""`python -m benches [--quick] [--busy] [NAME …]`: run the named benches, or all, and compare their figures with their bounds."""

import argparse
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path

import uvloop

from benches.bounds import BOUNDS
from benches.effort import FULL, QUICK
from benches.processes import busy_cores
from benches.report import describe, judge
from benches.results import folder_of, read, write
from benches.table import BENCHES


def main() -> int:
    """Return 0 if every bench ran and every figure of this run keeps its promise."""
    parser = argparse.ArgumentParser(prog="python -m benches", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHES))
    parser.add_argument("--quick", action="store_true", help="shorter and smaller; the figures are less certain")
    parser.add_argument(
        "--busy", action="store_true", help="beside a busy process on each core, which halves their speed"
    )
    given = parser.parse_args()
    # Before Python 3.12, `choices` of an argument that may be left out refuse its absence.
    if unknown := set(given.names) - set(BENCHES):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; choose from {', '.join(BENCHES)}")
    if len(given.names) == 1:
        measure(given.names[0], quick=given.quick, busy=given.busy)
        return 0 if judge([given.names[0]], busy=given.busy) else 1
    names = given.names or list(BENCHES)
    options = [f"--{option}" for option in ("quick", "busy") if getattr(given, option)]
    began, failed = (
        time.monotonic(),
        [name for name in names if not in_own_process(name, options, folder_of(given.busy))],
    )
    kept = judge([name for name in names if name not in failed], summary=True, busy=given.busy)
    for name in failed:
        print(f"FAILED: {name}; see its output above")
    print(f"{len(BOUNDS)} bounds, {len(names)} benches in {time.monotonic() - began:.0f} s; results are in dist/bench")
    return int(bool(failed) or not kept)


def in_own_process(name: str, options: list[str], folder: Path) -> bool:
    """Run a bench in a process of its own, in which nothing is left of the one before; return whether it ended well."""
    (folder / f"{name}.json").unlink(missing_ok=True)
    subprocess.run([sys.executable, "-m", "benches", name, *options], check=False)  # noqa: S603
    return name in read(folder)


def measure(name: str, *, quick: bool, busy: bool) -> None:
    """Run a bench in this process, write its results and print them."""
    began, effort = time.monotonic(), QUICK if quick else FULL
    with busy_cores() if busy else nullcontext():
        result = uvloop.run(BENCHES[name].measure(effort))  # type: ignore[arg-type]
    seconds = time.monotonic() - began
    write(name, result, folder_of(busy), quick=quick, seconds=seconds)
    print(f"\n{BENCHES[name].title} ({name}, {seconds:.0f} s)")
    for line in describe(result):
        print(line)


if __name__ == "__main__":
    sys.exit(main())
