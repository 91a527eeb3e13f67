"""A process that crashes writes no core dump."""

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import os, resource, signal
from sellergate_common.observability.core_dumps import forbid_core_dumps
forbid_core_dumps()
print(resource.getrlimit(resource.RLIMIT_CORE), flush=True)
os.kill(os.getpid(), signal.SIGABRT)
"""


def test_a_crash_leaves_no_core_dump(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (limits[1], limits[1]))
    try:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            cwd=tmp_path,
            env=dict(os.environ),
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, limits)
    assert done.returncode == -signal.SIGABRT, done.stderr
    assert done.stdout == ("(0, 0)\n" if limits[1] == 0 else "(1, 1)\n")
    assert list(tmp_path.iterdir()) == []
