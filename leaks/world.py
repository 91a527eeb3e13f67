"""The world of a hunt: a suite with its own Redis and database, logs at debug, traces, and all that it responds and prints."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from sellergate_devstack.plan import Plan
from sellergate_devstack.processes.ports import free_row
from sellergate_devstack.settings import DevstackSettings
from sellergate_devstack.suite import Suite, running_suite

from leaks.canaries import Canary
from tests.e2e.collector import Collector, collecting
from tests.e2e.conftest import Rest, ephemeral_ports
from tests.e2e.forked import run
from tests.e2e.operators import Operator
from tests.e2e.sellers import Seller

# Runs a service with other folders of code before those that are installed.
_RUN = "import runpy, sys; sys.path[:0] = sys.argv.pop(1).split(':'); runpy.run_module({0!r}, run_name='__main__', alter_sys=True)"


@dataclass
class World:
    """A running suite, what was sent to it as `canaries`, and what it printed as `outputs` by the name of a place."""

    suite: Suite
    collector: Collector
    rest: Rest
    control: httpx.AsyncClient
    code: Sequence[Path] = ()
    """Folders of code that take precedence over what is installed."""
    canaries: list[Canary] = field(default_factory=list)
    outputs: dict[str, bytes] = field(default_factory=dict)

    def hide(self, kind: str, *values: str) -> None:
        """Add secrets that must be found nowhere."""
        self.canaries += [Canary(kind, value) for value in values]

    async def seller(self) -> Seller:
        """Seed a seller whose secrets are canaries."""
        seller = await Seller.seeded(self.control)
        self.hide("a client secret", seller.client_secret)
        self.hide("a refresh token", seller.refresh_token)
        return seller

    def keep(self, place: str, *texts: str | bytes) -> None:
        """Add an output to a place."""
        parts = [text.encode() if isinstance(text, str) else text for text in texts]
        self.outputs[place] = b"\n".join([self.outputs.get(place, b""), *parts])

    def operator(self) -> Operator:
        """Return an operator whose command line knows the suite's services."""
        operator = Operator(self.suite)
        operator.environment |= {
            f"SELLERGATE_{name.upper()}_TARGET": self.suite.target(name) for name in ("gateway", "token")
        }
        return operator

    def program(self, place: str, module: str, arguments: Sequence[str], environment: dict[str, str]) -> int:
        """Run a program to its end, and keep what it prints; return its exit code."""
        if self.code and module != "sellergate_cli":
            command = command_of(module, self.code)
            done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100, check=False)
        else:
            done = run(module, arguments, environment)
        self.keep(place, done.stdout, done.stderr)
        return done.returncode


def command_of(module: str, code: Sequence[Path]) -> list[str]:
    """Return the command that runs a module of `code`, with a traceback of each thread when it crashes."""
    start = [sys.executable, "-X", "faulthandler"]
    return [*start, "-c", _RUN.format(module), os.pathsep.join(map(str, code))] if code else [*start, "-m", module]


@asynccontextmanager
async def running_world(folder: Path, code: Sequence[Path] = ()) -> AsyncIterator[World]:
    """Run a suite in a folder, with `code` before the installed packages."""
    ports: dict[str, Any] = {**ephemeral_ports(), "metrics_base_port": free_row(5)[0]}
    settings = DevstackSettings(state_dir=folder, log_level="debug", simulator="on", **ports)
    async with collecting() as collector:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
            patch.setenv("OTEL_TRACES_SAMPLER", "always_on")
            patch.setenv("OTEL_BSP_SCHEDULE_DELAY", "200")
            patch.setattr(Plan, "_command", lambda _, name: command_of(f"sellergate_{name}", code))
            async with (
                running_suite(settings, lambda _: None) as suite,
                httpx.AsyncClient(base_url=suite.edge, timeout=40, trust_env=False) as client,
                httpx.AsyncClient(base_url=suite.simulator or "", timeout=10, trust_env=False) as control,
            ):
                yield World(suite, collector, Rest(suite, client), control, code)
