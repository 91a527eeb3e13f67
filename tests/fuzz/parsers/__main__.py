"""The command line: `python -m tests.fuzz.parsers` fuzzes each target for a bounded time; the result is dist/fuzz-parsers.json."""

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from simulation.result import write_result
from tests.fuzz.parsers.engine import NEEDS_ATHERIS, Report
from tests.fuzz.parsers.registry import TARGETS
from tests.paths import ROOT

FOLDER = ROOT / ".fuzz"
SHARE, MOST_SECONDS = 30, 60.0
"""Each target has a share of the time of the whole, and never more than a minute."""
_GRACE_SECONDS = 600.0
"""What a busy machine may need to start a process and to replay its inputs."""
FIGURES = ("lines", "branches", "modules")
_ROW = "{:20} {:>9} {:>8} {:>6} {:>9} {:>8}  {}"


def main() -> int:
    """Return 0 if no target has a fault."""
    parser = argparse.ArgumentParser(prog="make fuzz-parsers", description="Fuzz the parsers of foreign bytes.")
    parser.add_argument("names", nargs="*", help=f"targets (default: all): {', '.join(TARGETS)}")
    parser.add_argument(
        "--of", type=float, default=1800.0, help="seconds of the whole, of which each target has a share"
    )
    parser.add_argument("--seconds", type=float, help="seconds of each target")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if find_spec("atheris") is None:
        print(NEEDS_ATHERIS)
    if unknown := set(options.names) - TARGETS.keys():
        parser.error(f"there is no target {', '.join(sorted(unknown))}")
    seconds = options.seconds or min(MOST_SECONDS, options.of / SHARE)
    print(_ROW.format("target", "inputs", "seconds", "lines", "branches", "modules", "faults"))
    found = {}
    for name in options.names or TARGETS:
        found[name] = one = run(name, seconds, options.seed)
        shown = [f"{one[figure]:.0f}%" for figure in FIGURES]
        print(
            _ROW.format(name, one["inputs"], f"{one['seconds']:.0f}", *shown, "; ".join(one["faults"]) or "none"),
            flush=True,
        )
    for name, one in found.items():
        for kind, fault in one["faults"].items():
            print(f"\n{name}: {kind}: {fault['details']}\n  {fault['input'][:2000]}")
    print(f"{sum(one['inputs'] for one in found.values())} inputs")
    write_result("fuzz-parsers", {"seed": options.seed, "seconds": seconds, "targets": found})
    return int(any(one["faults"] for one in found.values()))


def run(name: str, seconds: float, seed: int) -> dict[str, Any]:
    """Fuzz one target and measure its coverage, each in a process of its own."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as made:
        file = Path(made) / "report.json"
        options = ["--seconds", str(seconds), "--seed", str(seed)]
        failure, _ = _process("engine", name, str(file), *options, seconds=seconds + _GRACE_SECONDS)
        report = json.loads(file.read_text()) if file.exists() else asdict(Report())
    if failure:
        report["faults"]["the process ended"] = {"details": failure, "input": _crash(name)}
    failure, output = _process("measured", name, seconds=_GRACE_SECONDS)
    if failure:
        report["faults"]["the coverage is unknown"] = {"details": failure, "input": ""}
        return report | dict.fromkeys(FIGURES, 0.0)
    return report | json.loads(output)


def _process(module: str, name: str, *options: str, seconds: float) -> tuple[str, str]:
    """Run a module for a target. Return the reason why it failed (empty: it did not), and the last line of its output."""
    command = [sys.executable, "-m", f"tests.fuzz.parsers.{module}", name, *options, "--folder", str(FOLDER)]
    try:
        done = subprocess.run(
            command, check=False, cwd=ROOT, capture_output=True, text=True, errors="replace", timeout=seconds
        )
    except subprocess.TimeoutExpired:
        return "it did not end in time", ""
    if done.returncode:
        return f"status {done.returncode}: {done.stderr[-600:]}", ""
    return "", (done.stdout.splitlines() or [""])[-1]


def _crash(name: str) -> str:
    """Return the input in hex that ended a target's process, and drop its file; empty where there is none."""
    files = sorted((FOLDER / "crashes" / name).glob("*"))
    found = files[-1].read_bytes().hex() if files else ""
    for file in files:
        file.unlink()
    return found


if __name__ == "__main__":
    sys.exit(main())
