"""`python -m benches [--quick] [NAME …]`: run the named benches, or all, and compare their figures with their bounds."""

import argparse
import subprocess
import sys
import time

import uvloop

from benches.bounds import BOUNDS
from benches.effort import FULL, QUICK
from benches.report import describe, judge
from benches.results import FOLDER, read, write
from benches.table import BENCHES


def main() -> int:
    """Return 0 if every bench ran and every figure of this run keeps its promise."""
    parser = argparse.ArgumentParser(prog="python -m benches", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHES))
    parser.add_argument("--quick", action="store_true", help="shorter and smaller; the figures are less certain")
    given = parser.parse_args()
    # Before Python 3.12, `choices` of an argument that may be left out refuse its absence.
    if unknown := set(given.names) - set(BENCHES):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; choose from {', '.join(BENCHES)}")
    if len(given.names) == 1:
        measure(given.names[0], quick=given.quick)
        return 0 if judge([given.names[0]]) else 1
    names = given.names or list(BENCHES)
    began, failed = time.monotonic(), [name for name in names if not in_own_process(name, quick=given.quick)]
    kept = judge([name for name in names if name not in failed], summary=True)
    for name in failed:
        print(f"FAILED: {name}; see its output above")
    print(f"{len(BOUNDS)} bounds, {len(names)} benches in {time.monotonic() - began:.0f} s; results are in dist/bench")
    return int(bool(failed) or not kept)


def in_own_process(name: str, *, quick: bool) -> bool:
    """Run a bench in a process of its own, in which nothing is left of the one before; return whether it ended well."""
    (FOLDER / f"{name}.json").unlink(missing_ok=True)
    subprocess.run([sys.executable, "-m", "benches", name, *(["--quick"] if quick else [])], check=False)  # noqa: S603
    return name in read()


def measure(name: str, *, quick: bool) -> None:
    """Run a bench in this process, write its results and print them."""
    began, effort = time.monotonic(), QUICK if quick else FULL
    result = uvloop.run(BENCHES[name].measure(effort))  # type: ignore[arg-type]
    seconds = time.monotonic() - began
    write(name, result, quick=quick, seconds=seconds)
    print(f"\n{BENCHES[name].title} ({name}, {seconds:.0f} s)")
    for line in describe(result):
        print(line)


if __name__ == "__main__":
    sys.exit(main())
