"""What the processes of a suite use of the machine; see proc(5)."""

import os
from pathlib import Path

from sellergate_devstack.suite import Suite

NAMES = ("edge", "gateway", "account", "token", "iam")


def megabytes(suite: Suite) -> dict[str, float]:
    """The resident memory of every process."""
    sizes = {}
    for name in NAMES:
        lines = Path(f"/proc/{suite.pids[name]}/status").read_text().splitlines()
        (size,) = [line.split()[1] for line in lines if line.startswith("VmRSS:")]
        sizes[name] = int(size) / 1024
    return sizes


def processor_seconds(suite: Suite) -> dict[str, float]:
    """What every process has used of processors so far."""
    used = {}
    for name in (*NAMES, "redis"):
        fields = Path(f"/proc/{suite.pids[name]}/stat").read_text().rpartition(")")[2].split()
        used[name] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return used
