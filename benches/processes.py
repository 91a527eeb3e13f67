"""CPU time and memory of processes; see proc(5)."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
_USER, _SYSTEM = 11, 12
"""The places of a process's CPU time behind its name, which may hold spaces."""


def cpu_seconds(pid: int) -> float:
    """Return the CPU seconds that a process has used so far, with all of its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[_USER]) + int(fields[_SYSTEM])) / _TICKS_A_SECOND


def resident_kilobytes(pid: int) -> float:
    """Return the resident memory of a process, in KiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (size,) = [line.split()[1] for line in lines if line.startswith("VmRSS:")]
    return float(size)


@contextmanager
def busy_cores() -> Iterator[None]:
    """Run a process on each core that uses all the time it gets, while the body runs."""
    loop = "import os, sys\nos.sched_setaffinity(0, {int(sys.argv[1])})\nwhile os.getppid() == int(sys.argv[2]): sum(range(10_000))"
    with ExitStack() as stack:
        for core in os.sched_getaffinity(0):
            command = [sys.executable, "-c", loop, str(core), str(os.getpid())]
            process = stack.enter_context(subprocess.Popen(command))  # noqa: S603
            stack.callback(process.kill)
        yield
