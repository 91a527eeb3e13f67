"""A separate account service, and an operator who uses the command line with it."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sellergate_devstack.plan import make_plan
from sellergate_devstack.processes.supervisor import Supervisor
from sellergate_devstack.settings import DevstackSettings
from sellergate_devstack.state import State
from sellergate_devstack.suite import Suite

from tests.e2e.conftest import ephemeral_ports
from tests.e2e.forked import run

PASSED_ON = ("PATH", "HOME", "COVERAGE_PROCESS_START", "COVERAGE_FILE")


@asynccontextmanager
async def running_account(folder: Path) -> AsyncIterator[Suite]:
    """Run only the account service and Redis, on a SQLite database that is empty, with logs at debug."""
    settings = DevstackSettings(state_dir=folder, log_level="debug", simulator="on", **ephemeral_ports())
    plan, supervisor = make_plan(settings, State(folder)), Supervisor(lambda _: None)
    try:
        for process in plan.processes():
            if process.name in ("redis", "account"):
                await supervisor.start(process)
        yield Suite(plan, supervisor)
    finally:
        await supervisor.stop()


class Operator:
    """An operator at the command line, with an operator's certificate."""

    def __init__(self, suite: Suite, identity: str = "operator") -> None:
        files = suite.files(identity)
        self.environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ} | {
            "SELLERGATE_ACCOUNT_TARGET": suite.target("account"),
            "SELLERGATE_TLS_CA_FILE": str(files.ca),
            "SELLERGATE_TLS_CERT_FILE": str(files.certificate),
            "SELLERGATE_TLS_KEY_FILE": str(files.key),
        }

    def start(self, *arguments: str, **variables: str) -> "subprocess.Popen[str]":
        """Start a command as a process of its own, which the caller may interrupt."""
        return subprocess.Popen(
            [sys.executable, "-m", "sellergate_cli", *arguments],
            env=self.environment | variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def types(
        self, *arguments: str, typed: str = "", seconds: float = 100, **variables: str
    ) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end; its output must hold no traceback."""
        done = run("sellergate_cli", arguments, self.environment | variables, typed, seconds)
        assert "Traceback" not in done.stdout + done.stderr, done.stderr
        return done
