"""Planted faults: `python -m simulation.planting [FILE...]` applies each patch to a copy of the code and simulates the copy.

The working copy is never changed. Without a file, all patches of `simulation/plants` are tried, and a table shows which are found.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from simulation.result import write_result

ROOT = Path(__file__).resolve().parents[1]
PLANTS = ROOT / "simulation" / "plants"
_COPIED = ("libs", "services", "simulation", "tests/fakes")
_FOUND = re.compile(r"^seed (\d+): (.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Planted:
    """What became of one plant. `seed` is the first that failed, in the order of their ends; None: no seed did."""

    name: str
    seed: int | None
    words: str
    seconds: float


def copy_code(to: Path) -> None:
    """Copy the code that a run needs, without what was built."""
    for folder in _COPIED:
        ignore = shutil.ignore_patterns("__pycache__", "stubs")
        shutil.copytree(ROOT / folder, to / folder, ignore=ignore)


def paths(root: Path) -> str:
    """Return the PYTHONPATH of a copy; generated messages are those of the working copy."""
    folders = sorted(path for part in ("libs", "services") for path in (root / part).iterdir() if path.is_dir())
    return os.pathsep.join(map(str, (root, *folders, ROOT / "libs" / "stubs")))


def plant(patch: Path, seeds: int, jobs: int) -> Planted:
    """Apply one patch to a copy, simulate it, and return what was found."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="simulation-") as folder:
        copy = Path(folder)
        copy_code(copy)
        applied = subprocess.run(
            ["git", "apply", str(patch)],
            cwd=copy,
            check=False,
            capture_output=True,
            text=True,
            env={**os.environ, "GIT_CEILING_DIRECTORIES": folder},
        )
        if applied.returncode:
            return Planted(patch.stem, None, f"DOES NOT APPLY: {applied.stderr.strip()}", time.monotonic() - began)
        command = [sys.executable, "-m", "simulation", "--seeds", str(seeds), "--jobs", str(jobs), "--no-shrink"]
        environment = {**os.environ, "PYTHONPATH": paths(copy), "PYTHONHASHSEED": "0"}
        done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False)
    found = _FOUND.search(done.stdout)
    seconds = time.monotonic() - began
    if found is None and done.returncode:
        return Planted(patch.stem, None, f"DID NOT RUN: {done.stderr.strip().splitlines()[-1:]}", seconds)
    return Planted(patch.stem, int(found[1]) if found else None, found[2] if found else "", seconds)


def main() -> int:
    """Try the plants and print a table; return 1 if fewer than all were found."""
    parser = argparse.ArgumentParser(prog="make plants")
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--seeds", type=int, default=2000)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    tried = list[Planted]()
    print(f"{'plant':26} {'seed':>6} {'s':>5}  found by")
    for patch in options.files or sorted(PLANTS.glob("*.patch")):
        done = plant(patch.resolve(), options.seeds, options.jobs)
        tried.append(done)
        seed = "-" if done.seed is None else str(done.seed)
        print(f"{done.name:26} {seed:>6} {done.seconds:5.0f}  {done.words[:90] or 'NOT FOUND'}", flush=True)
        if not options.files:
            # After each plant: a run of all of them takes long.
            write_result("plants", {"seeds": options.seeds, "plants": [asdict(one) for one in tried]})
    return int(any(one.seed is None for one in tried))


if __name__ == "__main__":
    sys.exit(main())
