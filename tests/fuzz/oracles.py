"""Checks of fuzzed processes: no error in their logs, bounded memory, and bounded CPU time of each callback."""

import json
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sellergate_devstack.suite import Suite

from tests.system.processes import NAMES, megabytes

_FAULTY_LEVELS = frozenset({"error", "critical"})
_SHOWN = 8_000


@dataclass
class Logs:
    """The lines that the suite's processes log from now on."""

    suite: Suite
    at: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.at = {name: self._path(name).stat().st_size for name in self._names()}

    def faults(self) -> list[str]:
        """Return lines with errors and tracebacks, except the simulator's, whose errors are Amazon's."""
        lines = (one for one in self._lines() if one[0] != "simulator")
        return [f"{name}: {line[:_SHOWN]}" for name, line in lines if _is_fault(line)]

    def slow_callbacks(self) -> list[str]:
        """Return the watchdogs' reports of callbacks with too much CPU time."""
        return [
            f"{name}: {line[:_SHOWN]}" for name, line in self._lines() if line.startswith('{"event": "slow_callback"')
        ]

    def worst_callbacks(self) -> dict[str, dict[str, Any]]:
        """Return, by process, the callback with the most CPU time, and the number of callbacks."""
        worst: dict[str, dict[str, Any]] = {}
        for name, line in self._lines():
            if line.startswith('{"event": "loop_watch"'):
                seen = json.loads(line)
                have = worst.setdefault(name, {"worst": 0.0, "callback": "", "callbacks": 0})
                have["callbacks"] += seen["callbacks"]
                if seen["worst"] > have["worst"]:
                    have["worst"], have["callback"] = seen["worst"], seen["callback"]
        return worst

    def _lines(self) -> Iterator[tuple[str, str]]:
        for name in self._names():
            with self._path(name).open(errors="replace") as log:
                log.seek(self.at[name])
                yield from ((name, line.rstrip("\n")) for line in log)

    def _names(self) -> list[str]:
        return [*NAMES, "simulator"]

    def _path(self, name: str) -> Path:
        return self.suite.log(name)


def _is_fault(line: str) -> bool:
    if not line.startswith("{"):
        return bool(line.strip())
    try:
        level = json.loads(line).get("level")
    except ValueError:
        return True
    return level in _FAULTY_LEVELS


@dataclass
class Memory:
    """The resident memory of every process over time, in MiB."""

    suite: Suite
    samples: list[tuple[float, dict[str, float]]] = field(default_factory=list)

    def sample(self) -> None:
        """Measure every process."""
        self.samples.append((time.monotonic(), megabytes(self.suite)))

    def report(self) -> dict[str, dict[str, float]]:
        """Return, by process: size at first and last, peak, and the slope of the second half in MiB a minute."""
        half = self.samples[len(self.samples) // 2 :]
        return {
            name: {
                "first": round(self.samples[0][1][name], 1),
                "last": round(self.samples[-1][1][name], 1),
                "peak": round(max(sizes[name] for _, sizes in self.samples), 1),
                "slope": round(_slope([(at / 60, sizes[name]) for at, sizes in half]), 2),
                "growth": round(_growth([sizes[name] for _, sizes in half]), 3),
            }
            for name in NAMES
        }


def _slope(points: list[tuple[float, float]]) -> float:
    """Return the slope of the line through points."""
    if len({x for x, _ in points}) < 2:
        return 0.0
    return statistics.linear_regression(*zip(*points, strict=True)).slope


def _growth(sizes: list[float]) -> float:
    """Return the median of the last third as a share of the median of the first third."""
    third = max(1, len(sizes) // 3)
    return statistics.median(sizes[-third:]) / statistics.median(sizes[:third])
