"""`make run` from a user's view: what it refuses, and what it leaves if it is killed. Whole runs: tests/system/test_launcher.py."""

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sellergate_devstack.processes.ports import LOOPBACK, free_ports
from sellergate_devstack.suite import Suite

from tests.e2e.conftest import ephemeral_ports


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


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def have_ended(pids: list[int]) -> bool:
    for _ in range(200):
        if not any(lives(pid) for pid in pids):
            return True
        await asyncio.sleep(0.1)
    return False


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state"


async def test_a_killed_launcher_leaves_no_process(folder: Path) -> None:
    """Kill it while it starts; tests/system/test_launcher.py kills it when all processes run."""
    with launched(environment(folder)) as process:
        assert process.stdout is not None
        started = {}
        for line in process.stdout:
            if found := re.match(r"  (\w+) +pid (\d+) ", line):
                started[found[1]] = int(found[2])
            if "simulator" in started:
                break
        process.kill()
        process.wait(10)
        assert await have_ended(list(started.values()))
    assert set(started) == {"redis", "simulator"}


async def test_a_state_directory_serves_one_run(suite: Suite) -> None:
    with launched(environment(suite.plan.state.folder)) as second:
        output, _ = second.communicate(timeout=30)
    assert second.returncode == 1
    assert f"another run (pid {os.getpid()}) uses" in output


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


async def test_invalid_settings_are_reported_all_at_once(folder: Path) -> None:
    variables = environment(folder, SELLERGATE_EDGE_PORT="99999", SELLERGATE_SIMULATOR="maybe")
    with launched(variables) as process:
        output, _ = process.communicate(timeout=30)
    assert process.returncode == 2
    assert "SELLERGATE_EDGE_PORT:" in output
    assert "SELLERGATE_SIMULATOR:" in output
