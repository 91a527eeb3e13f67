"""The coverage of a target: its modules' lines and branches that its seeds and kept inputs reach, in a process of its own."""

import argparse
import json
import random
import tempfile
import time
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any

import coverage

from tests.fuzz.parsers.engine import folder_of, kept_inputs
from tests.fuzz.parsers.mutation import mutations
from tests.fuzz.parsers.registry import TARGETS
from tests.fuzz.parsers.target import Target, fault_of

_MOST_SECONDS = 20.0
_MUTATIONS = 1_000


def measure(target: Target, folder: Path) -> dict[str, float]:
    """Return percentages: `lines` and `branches` of the functions that inputs reach, and `modules`, of all lines."""
    measuring = coverage.Coverage(branch=True, source_pkgs=list(target.modules), data_file=None, config_file=False)
    measuring.start()
    parser = target.load()
    kept = kept_inputs(folder_of(folder, "corpus", target))
    mutated = islice(mutations(parser.seeds, random.Random(1)), _MUTATIONS)
    until = time.monotonic() + _MOST_SECONDS
    for data in _until(until, chain(parser.seeds, kept, mutated)):
        fault_of(parser, data)
    measuring.stop()
    with tempfile.TemporaryDirectory() as made:
        measuring.json_report(outfile=f"{made}/report.json")
        report = json.loads(Path(made, "report.json").read_text())
    functions = [one["summary"] for file in report["files"].values() for name, one in file["functions"].items() if name]
    reached = [one for one in functions if one["covered_lines"]]
    return {
        "lines": _percent(reached, "covered_lines", "num_statements"),
        "branches": _percent(reached, "covered_branches", "num_branches"),
        "modules": _percent([file["summary"] for file in report["files"].values()], "covered_lines", "num_statements"),
    }


def _until(end: float, inputs: Iterable[bytes]) -> Iterator[bytes]:
    for data in inputs:
        if time.monotonic() > end:
            return
        yield data


def _percent(summaries: list[dict[str, Any]], part: str, whole: str) -> float:
    total = sum(one[whole] for one in summaries)
    return round(100 * sum(one[part] for one in summaries) / total, 1) if total else 100.0


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("target", choices=TARGETS)
    arguments.add_argument("--folder", type=Path, required=True)
    options = arguments.parse_args()
    print(json.dumps(measure(TARGETS[options.target], options.folder)))
