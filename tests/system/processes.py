"""What the processes of a suite use of the machine; see proc(5)."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sellergate_devstack.suite import Suite

NAMES = ("edge", "gateway", "account", "token", "iam")


def megabytes(suite: Suite) -> dict[str, float]:
    """The resident memory of every process."""
    return {name: _status(suite, name, "VmRSS") for name in NAMES}


def processor_seconds(suite: Suite) -> dict[str, float]:
    """What every process has used of processors so far."""
    used = {}
    for name in (*NAMES, "redis"):
        fields = Path(f"/proc/{suite.pids[name]}/stat").read_text().rpartition(")")[2].split()
        used[name] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return used


@contextmanager
def peaks_above(suite: Suite, names: Sequence[str]) -> Iterator[dict[str, float]]:
    """Fill in, when the body ends, the MiB by which the resident memory of each process rose above where it was at its peak."""
    before = {name: _status(suite, name, "VmRSS") for name in names}
    for name in names:
        Path(f"/proc/{suite.pids[name]}/clear_refs").write_text("5")  # the peak is the present size from now on
    peaks = dict[str, float]()
    yield peaks
    peaks.update({name: round(_status(suite, name, "VmHWM") - before[name], 1) for name in names})


def _status(suite: Suite, name: str, line: str) -> float:
    (size,) = [
        words[1]
        for words in map(str.split, Path(f"/proc/{suite.pids[name]}/status").read_text().splitlines())
        if words[0] == f"{line}:"
    ]
    return int(size) / 1024
