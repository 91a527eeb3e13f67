"""One target in a process of its own: guided by coverage where atheris is installed, else by a seed only.

No fault ends the run. The report is written at each new fault and once a second, so that it outlives a crash.
"""

import argparse
import json
import os
import random
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.fuzz.parsers.mutation import WORDS, mutations
from tests.fuzz.parsers.registry import TARGETS
from tests.fuzz.parsers.target import MOST_BYTES, Parser, Target, fault_of

NEEDS_ATHERIS = (
    "NOT RUN: coverage guidance needs atheris, which has no wheel for this Python; seeded mutations run in its place"
)
_MOST_WORD = 64
_MOST_MEGABYTES = 2_000
_INPUT_SECONDS = 60


@dataclass(slots=True)
class Report:
    """The report of a run. `faults` has an input in hex for each kind of fault."""

    guided: bool = False
    inputs: int = 0
    seconds: float = 0.0
    faults: dict[str, dict[str, str]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Extent:
    """The extent of a run: whichever of its bounds is reached first."""

    seconds: float = 1e9
    inputs: int = 10**12
    seed: int = 1


class Session:
    """The inputs of a run. `write` stores the report."""

    def __init__(self, extent: Extent, write: Callable[[Report], None]) -> None:
        self.report = Report()
        self._extent = extent
        self._write = write
        self._began = self._written = time.monotonic()

    def check(self, parser: Parser, data: bytes) -> bool:
        """Give the parser one input; return whether the run goes on."""
        report = self.report
        fault = fault_of(parser, data)
        report.inputs += 1
        now = time.monotonic()
        report.seconds = now - self._began
        goes_on = report.seconds < self._extent.seconds and report.inputs < self._extent.inputs
        if fault is not None:
            report.counts[fault.kind] = report.counts.get(fault.kind, 0) + 1
            is_new = fault.kind not in report.faults
            report.faults.setdefault(fault.kind, {"details": fault.details, "input": data.hex()})
            now += 1e9 * is_new
        if now - self._written > 1 or not goes_on:
            self._written = time.monotonic()
            self._write(report)
        return goes_on


def fuzz(parser: Parser, extent: Extent, kept: Iterable[bytes] = ()) -> Report:
    """Give a parser its seeds, kept inputs, and mutations of them."""
    session, seeds = Session(extent, lambda _: None), [*parser.seeds, *kept]
    inputs = mutations(seeds, random.Random(extent.seed))
    for data in seeds:
        if not session.check(parser, data):
            return session.report
    while session.check(parser, next(inputs)):
        pass
    return session.report


def folder_of(folder: Path, kind: str, target: Target) -> Path:
    """Return the folder of a target's `seeds`, `corpus` or `crashes`."""
    found = folder / kind / target.name
    found.mkdir(parents=True, exist_ok=True)
    return found


def kept_inputs(folder: Path) -> Iterator[bytes]:
    """Yield the kept inputs of a folder, the newest first."""
    files = sorted(folder.iterdir(), key=lambda file: file.stat().st_mtime, reverse=True)
    return (file.read_bytes() for file in files)


def _guided(target: Target, extent: Extent, folder: Path, write: Callable[[Report], None]) -> None:
    """Fuzz a target with atheris, and end the process."""
    import atheris

    with atheris.instrument_imports(include=list(target.modules), enable_loader_override=False):
        parser = target.load()
    session = Session(extent, write)
    session.report.guided = True
    seeds = folder_of(folder, "seeds", target)
    for number, seed in enumerate(parser.seeds):
        (seeds / str(number)).write_bytes(seed)
    words = folder / "words"
    words.write_text("\n".join(f'"{_escaped(word)}"' for word in WORDS if 0 < len(word) <= _MOST_WORD) + "\n")

    def one(data: bytes) -> None:
        if not session.check(parser, data):
            sys.stderr.flush()
            os._exit(0)

    options = {
        "max_len": MOST_BYTES,
        "seed": extent.seed,
        "timeout": _INPUT_SECONDS,
        "rss_limit_mb": _MOST_MEGABYTES,
        "artifact_prefix": f"{folder_of(folder, 'crashes', target)}/",
        "dict": words,
        "verbosity": 0,
    }
    folders = [str(folder_of(folder, "corpus", target)), str(seeds)]
    atheris.Setup([sys.argv[0], *folders, *(f"-{name}={value}" for name, value in options.items())], one)
    atheris.Fuzz()


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)


def main() -> None:
    """Fuzz one target."""
    parser = argparse.ArgumentParser()
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("report", type=Path)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--inputs", type=int, default=10**12)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    target, extent = TARGETS[options.target], Extent(options.seconds, options.inputs, options.seed)

    def write(report: Report) -> None:
        options.report.write_text(json.dumps(asdict(report)))

    try:
        _guided(target, extent, options.folder, write)
    except ImportError as error:
        if error.name != "atheris":
            raise
        kept = kept_inputs(folder_of(options.folder, "corpus", target))
        write(fuzz(target.load(), extent, kept))


if __name__ == "__main__":
    main()
