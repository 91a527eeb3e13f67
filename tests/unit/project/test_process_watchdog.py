"""The watchdog of spawned processes reports only callbacks of uvloop with too much CPU time."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.fuzz.conftest import WATCHED

PROGRAM = """
import asyncio, time, uvloop
def busy(seconds):
    until = time.thread_time() + seconds
    while time.thread_time() < until: pass
async def works():
    await asyncio.sleep(0)
    {work}
    await asyncio.sleep(0)
uvloop.run(works())
"""


def watched(folder: Path, work: str) -> list[dict[str, Any]]:
    (folder / "program.py").write_text(PROGRAM.format(work=work))
    environment = {"PYTHONPATH": str(folder)}
    done = subprocess.run(
        [sys.executable, str(WATCHED), "program"],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
        timeout=50,
    )
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    return [line for line in lines if line["event"] == "slow_callback"]


LATER = "loop = asyncio.get_running_loop(); loop.call_later(0, busy, 0.5); await asyncio.sleep(0.6)"


@pytest.mark.parametrize("work", ["busy(0.5)", LATER])
def test_a_callback_that_is_busy_is_found(tmp_path: Path, work: str) -> None:
    (found,) = watched(tmp_path, work)
    assert found["seconds"] > 0.1
    assert "busy" in found["where"] + found["callback"]


@pytest.mark.parametrize("work", ["await asyncio.to_thread(busy, 0.2)", "time.sleep(0.2); busy(0.01)"])
def test_waits_and_work_in_other_threads_are_not_reported(tmp_path: Path, work: str) -> None:
    assert watched(tmp_path, work) == []
