"""Child processes end with their parent, whenever it ends."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

# A parent that starts a child, and ends at once or when the child has begun.
PARENT = """
import os, pathlib, subprocess, sys, time
from sellergate_devstack.processes.children import tie
begun = pathlib.Path(sys.argv[1])
child = "import os, pathlib, sys, time; pathlib.Path(sys.argv[1]).write_text(str(os.getpid())); time.sleep(60)"
started = subprocess.Popen(tie([sys.executable, "-c", child, str(begun)]))
print(started.pid, flush=True)
while sys.argv[2] == "begun" and not (begun.exists() and begun.read_text()):
    time.sleep(0.01)
os._exit(0)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tie children")
@pytest.mark.parametrize("ends", ["at once", "begun"])
def test_a_child_ends_with_its_parent(tmp_path: Path, ends: str) -> None:
    command = [sys.executable, "-c", PARENT, str(tmp_path / "begun"), ends]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    child = Path("/proc") / done.stdout.strip()
    until = time.monotonic() + 20
    while child.exists() and time.monotonic() < until:
        time.sleep(0.01)
    assert not child.exists()
    assert (tmp_path / "begun").exists() == (ends == "begun")
