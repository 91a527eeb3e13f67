"""`make run` from a user's view: it starts, runs the demo, prints all addresses, and leaves no process behind."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from sellergate_devstack.processes.ports import LOOPBACK, free_ports

from tests.e2e.conftest import ephemeral_ports

START_SECONDS = 50.0


def environment(folder: Path, **given: str) -> dict[str, str]:
    ports = {f"SELLERGATE_{name.upper()}": str(port) for name, port in ephemeral_ports().items()}
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SELLERGATE_", "AWS_"))}
    # The variables of a shell behind a proxy, which connections on this machine must not use.
    dead = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    return {**kept, **dead, **ports, "SELLERGATE_STATE_DIR": str(folder), **given}


@contextmanager
def launched(variables: dict[str, str]) -> Iterator["subprocess.Popen[str]"]:
    """Run the launcher, and end it in every case."""
    command = [sys.executable, "-m", "sellergate_devstack"]
    with subprocess.Popen(
        command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
            process.wait(30)


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


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def have_ended(pids: list[int]) -> bool:
    for _ in range(100):
        if not any(lives(pid) for pid in pids):
            return True
        await asyncio.sleep(0.1)
    return False


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state"


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


async def test_ports_in_use_are_reported_before_anything_starts(folder: Path) -> None:
    variables = environment(folder)
    with socket.create_server((LOOPBACK, int(variables["SELLERGATE_TOKEN_PORT"]))), launched(variables) as process:
        output, _ = process.communicate(timeout=30)
    assert process.returncode == 1
    port = variables["SELLERGATE_TOKEN_PORT"]
    assert f"port {port} of token is in use; set SELLERGATE_TOKEN_PORT to another" in output
    assert " up in " not in output


async def test_a_port_of_the_simulator_in_use_is_reported_with_the_setting_that_moves_it(folder: Path) -> None:
    variables = environment(folder)
    setting, port = "SELLERGATE_SIMULATOR_EU_PORT", int(variables["SELLERGATE_SIMULATOR_PORT"]) + 2
    with socket.create_server((LOOPBACK, port)):
        with launched(variables) as process:
            said, _ = process.communicate(timeout=30)
        assert process.returncode == 1
        assert f"port {port} of simulator is in use; set {setting} to another" in said
        (other,) = free_ports(1)
        with launched(variables | {setting: str(other)}) as process:
            assert process.stdout is not None
            started = next((line for line in process.stdout if line.startswith("  simulator")), "")
    assert f", {other}, " in started


async def test_a_folder_that_cannot_be_made_is_reported_with_its_setting(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with launched(environment(tmp_path / "file" / "state")) as process:
        said, _ = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "Not a directory" in said
    assert "set SELLERGATE_STATE_DIR to another folder" in said
    assert "Traceback" not in said


async def test_a_state_directory_serves_one_run(folder: Path) -> None:
    with launched(environment(folder)) as first:
        await report(folder, first)
        with launched(environment(folder)) as second:
            output, _ = second.communicate(timeout=30)
    assert second.returncode == 1
    assert f"another run (pid {first.pid}) uses" in output


async def test_invalid_settings_are_reported_all_at_once(folder: Path) -> None:
    variables = environment(folder, SELLERGATE_EDGE_PORT="99999", SELLERGATE_SIMULATOR="maybe")
    with launched(variables) as process:
        output, _ = process.communicate(timeout=30)
    assert process.returncode == 2
    assert "SELLERGATE_EDGE_PORT:" in output
    assert "SELLERGATE_SIMULATOR:" in output
