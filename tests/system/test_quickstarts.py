"""The three quickstarts, typed by a newcomer in a fresh clone."""

import asyncio
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from sellergate_devstack.processes.ports import free_ports

from tests.e2e.conftest import ephemeral_ports
from tests.paths import ROOT
from tests.system.conftest import Need
from tests.system.test_examples import CHROMIUM, use_page
from tests.system.test_fresh_machine import clone
from tests.unit.project.test_docs import fences

pytestmark = pytest.mark.timeout(900)
MINUTES = 10
MOST_COMMANDS = 5


def commands(name: str) -> list[str]:
    """Return the commands of a quickstart for a clone."""
    page = ROOT / "docs" / "quickstarts" / f"{name}.md"
    (text,) = [text for language, text, test in fences(page) if not language and "test_quickstarts" in test]
    lines = text.splitlines()
    assert len(lines) <= MOST_COMMANDS
    return lines


class Newcomer:
    """A person with a clone, two terminals, and ports that are free on this machine."""

    def __init__(self, folder: Path) -> None:
        self.clone = clone(folder)
        self.ports = {f"SELLERGATE_{name.upper()}": str(port) for name, port in ephemeral_ports().items()}
        (self.page_port,) = free_ports(1)
        self.output = folder / "terminal.txt"

    def fitted(self, command: str) -> str:
        """Return a command with this machine's ports in place of the default ones."""
        command = command.replace("localhost:3001", f"localhost:{self.ports['SELLERGATE_EDGE_PORT']}")
        return command.replace("localhost:8000", f"localhost:{self.page_port}").replace(
            "frontend 8000", f"frontend {self.page_port}"
        )

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("SELLERGATE_", "AWS_"))}
        return kept | self.ports | {"PATH": f"{Path(sys.executable).parent}:{kept['PATH']}"}

    @contextmanager
    def terminal(self, command: str) -> Iterator["subprocess.Popen[str]"]:
        """Type a command that stays, in a terminal of its own; Ctrl-C ends it."""
        with (
            self.output.open("a") as output,
            subprocess.Popen(
                ["bash", "-c", self.fitted(command)],
                cwd=self.clone,
                env=self.environment,
                stdout=output,
                stderr=output,
                text=True,
                start_new_session=True,
            ) as process,
        ):
            try:
                yield process
            finally:
                os.killpg(process.pid, signal.SIGINT)
                process.wait(60)

    def wait_for_run(self, process: "subprocess.Popen[str]") -> dict[str, str]:
        file, end = self.clone / ".sellergate" / "run.json", time.monotonic() + MINUTES * 60
        while not file.exists() and process.poll() is None and time.monotonic() < end:
            time.sleep(0.2)
        assert file.exists(), f"`make run` has not started all within {MINUTES} minutes:\n{self.output.read_text()}"
        return dict(json.loads(file.read_text()))

    def types(self, lines: list[str]) -> str:
        """Type commands one after the other in one terminal; return what they print."""
        script = "\n".join(map(self.fitted, lines))
        done = subprocess.run(
            ["bash", "-ec", script],
            cwd=self.clone,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=500,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory: pytest.TempPathFactory) -> Newcomer:
    return Newcomer(tmp_path_factory.mktemp("newcomer"))


def test_an_operator(newcomer: Newcomer) -> None:
    first, *rest = commands("operator")
    with newcomer.terminal(first) as process:
        newcomer.wait_for_run(process)
        said = newcomer.types(rest)
    assert "marketplace" in said


def test_an_internal_service(newcomer: Newcomer) -> None:
    first, *rest = commands("service")
    with newcomer.terminal(first) as process:
        newcomer.wait_for_run(process)
        said = newcomer.types(rest)
    assert said.strip().splitlines()[-1].split()


def test_a_frontend(newcomer: Newcomer, need: Need) -> None:
    first, *rest, last = commands("frontend")
    with newcomer.terminal(first) as process:
        run = newcomer.wait_for_run(process)
        (account,) = json.loads(newcomer.types(rest))["accounts"]
        assert account["id"] == run["account_id"]
        with newcomer.terminal(last):
            page, end = f"http://localhost:{newcomer.page_port}/", time.monotonic() + 60
            while time.monotonic() < end:
                try:
                    assert "Sellers" in httpx.get(page, trust_env=False).text
                    break
                except httpx.TransportError:
                    time.sleep(0.1)
            origin = {"Origin": page.rstrip("/"), "Authorization": f"Bearer {run['jwt']}"}
            answered = httpx.get(f"{run['edge']}/api/amazon/accounts", headers=origin, trust_env=False)
            assert answered.headers["access-control-allow-origin"] == origin["Origin"]
            need("Chromium at /usr/bin/chromium", CHROMIUM.exists())
            asyncio.run(use_page(page, run["edge"], run["jwt"], account["amazonSellerId"]))
    assert shlex.split(first)[-2:] == ["make", "run"]
