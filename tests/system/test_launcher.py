"""`make run` from a user's view: it starts, runs the demo, prints all addresses, and leaves no process behind."""

import asyncio
import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.test_launcher import environment, folder, have_ended, launched

__all__ = ["folder"]
START_SECONDS = 100.0


async def report(folder: Path, process: "subprocess.Popen[str]") -> dict[str, Any]:
    """Wait for run.json."""
    for _ in range(int(START_SECONDS / 0.1)):
        if (folder / "run.json").exists():
            return dict(json.loads((folder / "run.json").read_text()))
        if process.poll() is not None:
            break
        await asyncio.sleep(0.1)
    process.kill()
    pytest.fail(f"the launcher did not come up:\n{process.stdout.read() if process.stdout else ''}")


async def test_it_starts_and_reports_twice_and_leaves_no_process(folder: Path) -> None:
    variables = environment(folder)
    accounts = []
    for _ in range(2):  # the second time with the state of the first run
        with launched(variables) as process:
            run_report = await report(folder, process)
            assert (folder / "run.json").stat().st_mode & 0o777 == 0o600
            headers = {"Authorization": f"Bearer {run_report['jwt']}"}
            params = {"amazonAccountId": run_report["account_id"], "marketplaceId": "ATVPDKIKX0DER"}
            async with httpx.AsyncClient(base_url=run_report["edge"], trust_env=False) as client:
                orders = await client.get("/api/amazon/test/orders", params=params, headers=headers)
            assert orders.json()["orders"]
            accounts.append(run_report["account_id"])
            assert set(run_report["pids"]) == {"redis", "simulator", "account", "token", "iam", "gateway", "edge"}
            process.send_signal(signal.SIGINT)
            output, _ = process.communicate(timeout=30)
        assert process.returncode == 0, output
        for words in ("seller connected", "status ok", "orders listed", "curl -H", "Sellergate has ended."):
            assert words in output
        assert "Traceback" not in output
        assert await have_ended(list(run_report["pids"].values()))
        assert not (folder / "run.json").exists()
    assert accounts[0] == accounts[1]


async def test_a_dead_process_is_named_with_its_last_lines(folder: Path) -> None:
    with launched(environment(folder)) as process:
        run_report = await report(folder, process)
        os.kill(run_report["pids"]["token"], signal.SIGKILL)
        output, _ = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "token died with exit code -9; its last lines:" in output
    assert '"event":"serving"' in output.partition("its last lines:")[2]
    assert await have_ended(list(run_report["pids"].values()))


async def test_a_killed_launcher_leaves_no_process_and_no_lock(folder: Path) -> None:
    variables = environment(folder)
    with launched(variables) as process:
        run_report = await report(folder, process)
        process.kill()
        process.wait(10)
        assert await have_ended(list(run_report["pids"].values()))
    (folder / "run.json").unlink()
    with launched(variables) as process:
        assert (await report(folder, process))["account_id"] == run_report["account_id"]
