"""Long checks and checks that need a tool. A missing tool is reported and counted, never skipped silently."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

# The suite of the end-to-end tests, for checks of the whole suite that are long or need a tool.
from tests.e2e.conftest import client, collector, control, fast, gateway, responses, rest, seller, suite  # noqa: F401

_NOT_RUN: list[str] = []
# Long checks on a busy machine: the other tests' timeout of a minute may pass while a suite starts.
TIMEOUT_SECONDS = 300


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--strict-tools", action="store_true", help="a missing tool is an error")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent) and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(TIMEOUT_SECONDS))


@pytest.fixture
def need(request: pytest.FixtureRequest) -> "Need":
    """The requirements of a check: `need(tool)` continues, or reports that the check was not run."""
    return Need(request.node.nodeid, request.config.getoption("--strict-tools"))


class Need:
    def __init__(self, check: str, strict: bool) -> None:
        self._check = check
        self._strict = strict

    def __call__(self, what: str, there: bool) -> None:
        if there:
            return
        _NOT_RUN.append(f"NOT RUN: needs {what} ({self._check})")
        if self._strict:
            pytest.fail(f"needs {what}")
        pytest.skip(f"NOT RUN: needs {what}")

    def program(self, name: str) -> None:
        self(name, shutil.which(name) is not None)

    def image(self, name: str) -> None:
        """Require Docker with this image on the machine."""
        command = ["docker", "image", "inspect", name]
        here = shutil.which("docker") and subprocess.run(command, capture_output=True, check=False).returncode == 0
        self(f"Docker with the image {name}", bool(here))

    def root(self) -> None:
        self("root, to switch to another user", os.geteuid() == 0)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in _NOT_RUN:
        terminalreporter.write_line(line)
    if _NOT_RUN:
        terminalreporter.write_line(f"{len(_NOT_RUN)} checks were not run")
