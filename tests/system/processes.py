"""Memory and processor time of a suite's processes; see proc(5)."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sellergate_devstack.suite import Suite

NAMES = ("edge", "gateway", "account", "token", "iam")


def megabytes(suite: Suite) -> dict[str, float]:
    """Return the resident memory of every process, in MiB."""
    return {name: _status(suite, name, "VmRSS") for name in NAMES}


def processor_seconds(suite: Suite) -> dict[str, float]:
    """Return the processor seconds that every process has used so far."""
    used = {}
    for name in (*NAMES, "redis"):
        fields = Path(f"/proc/{suite.pids[name]}/stat").read_text().rpartition(")")[2].split()
        used[name] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return used


@contextmanager
def peaks(suite: Suite, names: Sequence[str], what: str, found: dict[str, float]) -> Iterator[None]:
    """Add to `found`, as "process: what", by how many MiB each process rises above its present size while the body runs."""
    before = {name: _status(suite, name, "VmRSS") for name in names}
    for name in names:
        Path(f"/proc/{suite.pids[name]}/clear_refs").write_text("5")  # the present size is the peak from now on
    yield
    found.update({f"{name}: {what}": round(_status(suite, name, "VmHWM") - before[name], 1) for name in names})


def _status(suite: Suite, name: str, line: str) -> float:
    (size,) = [
        words[1]
        for words in map(str.split, Path(f"/proc/{suite.pids[name]}/status").read_text().splitlines())
        if words[0] == f"{line}:"
    ]
    return int(size) / 1024
