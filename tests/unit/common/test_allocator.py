"""The C allocator of a process: freed bodies return to the system. Each case runs in its own process."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux") or not (os.confstr("CS_GNU_LIBC_VERSION") or "").startswith("glibc"),
    reason="glibc's own behaviour",
)
MIB = 1024 * 1024
# A small block follows each large one, like the parts of a response.
PROGRAM = f"""
import sys
from pathlib import Path
from sellergate_common.allocator import return_freed_memory

def resident():
    return next(int(line.split()[1]) for line in Path("/proc/self/status").open() if line.startswith("VmRSS:")) // 1024

if "set" in sys.argv:
    assert return_freed_memory()
before, small = resident(), []
for _ in range(4):
    large = b"x" * (16 * {MIB})
    small.append(bytearray(100_000))
    del large
print(resident() - before)
"""


def kept(*arguments: str) -> int:
    """Return the MiB of freed large blocks that a process keeps."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    command = [sys.executable, "-c", PROGRAM, *arguments]
    done = subprocess.run(command, env=plain, check=True, capture_output=True, text=True, timeout=60)
    return int(done.stdout)


def test_freed_blocks_return_to_the_system() -> None:
    assert kept() >= 16  # glibc's own choice
    assert kept("set") <= 2
