"""Starts processes, watches them, names the one that died, and ends them all in order."""

import asyncio
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sellergate_devstack.processes.children import tie
from sellergate_devstack.processes.ports import is_taken

START_SECONDS = 60.0
GRACE_SECONDS = 10.0
_POLL_SECONDS = 0.05
_LAST_LINES = 15

Healthy = Callable[[], Awaitable[bool]]


class ProcessDied(Exception):
    """A process ended by itself; the message names it and shows its last lines."""


class PortTaken(Exception):
    """A port that a process needs is taken; the message names port and setting."""


@dataclass(slots=True)
class Process:
    """One process: how it is started, and how one knows that it serves. `ports` are by the setting that changes them."""

    name: str
    command: Sequence[str]
    environment: dict[str, str]
    log: Path
    healthy: Healthy
    ports: dict[str, int] = field(default_factory=dict)
    handle: subprocess.Popen[Any] | None = None

    @property
    def pid(self) -> int:
        """The process id. Raises RuntimeError before the start."""
        if self.handle is None:
            raise RuntimeError(f"{self.name} was not started")
        return self.handle.pid

    def start(self) -> None:
        """Start it; its output goes to its log."""
        with self.log.open("ab") as log:
            self.handle = subprocess.Popen(  # noqa: S603
                tie(self.command),
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                process_group=0,
            )

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, if it runs."""
        if self.handle is not None and self.handle.poll() is None:
            self.handle.send_signal(number)

    def has_ended(self) -> bool:
        """Return whether it was started and has ended."""
        return self.handle is not None and self.handle.poll() is not None

    def obituary(self) -> str:
        """Say how it ended, with its last lines."""
        code = self.handle.returncode if self.handle else None
        lines = self.log.read_text(errors="replace").splitlines()[-_LAST_LINES:] if self.log.exists() else []
        return "\n".join([f"{self.name} died with exit code {code}; its last lines:", *(f"  {line}" for line in lines)])


class Supervisor:
    """Processes in the order of their start; `report` gets one line for each thing that happens."""

    def __init__(self, report: Callable[[str], None]) -> None:
        self.processes: dict[str, Process] = {}
        self._report = report

    def check_ports(self, processes: Sequence[Process]) -> None:
        """Raise PortTaken that names every port that is taken, before anything is started."""
        taken = [
            f"port {port} of {process.name} is taken; set {setting} to another, or stop what listens there"
            for process in processes
            for setting, port in process.ports.items()
            if is_taken(port)
        ]
        if taken:
            raise PortTaken("\n".join(taken))

    async def start(self, process: Process) -> None:
        """Start a process and wait until it serves. Raises ProcessDied, TimeoutError."""
        self.processes[process.name] = process
        began = time.monotonic()
        process.start()
        await self.wait_healthy(process)
        where = ", ".join(str(port) for port in process.ports.values())
        self._report(
            f"  {process.name:<10} pid {process.pid:<7} {'port ' + where:<16} up in {time.monotonic() - began:.1f} s"
        )

    async def wait_healthy(self, process: Process) -> None:
        """Wait until a process serves. Raises ProcessDied, TimeoutError."""
        end = time.monotonic() + START_SECONDS
        while not await process.healthy():
            if process.has_ended():
                raise ProcessDied(process.obituary())
            if time.monotonic() > end:
                raise TimeoutError(f"{process.name} does not serve after {START_SECONDS:.0f} s; see {process.log}")
            await asyncio.sleep(_POLL_SECONDS)

    async def watch(self) -> None:
        """Return never. Raises ProcessDied when a process ends by itself."""
        while True:
            for process in self.processes.values():
                if process.has_ended():
                    raise ProcessDied(process.obituary())
            await asyncio.sleep(_POLL_SECONDS * 4)

    async def stop(self) -> None:
        """End all processes, the last one first: SIGTERM, and SIGKILL for what has not ended after ten seconds."""
        for process in reversed(self.processes.values()):
            process.send(signal.SIGCONT)  # a stopped process hears nothing else
            process.send(signal.SIGTERM)
            end = time.monotonic() + GRACE_SECONDS
            while process.handle is not None and not process.has_ended():
                if time.monotonic() > end:
                    self._report(f"  {process.name} does not end; it is killed")
                    process.send(signal.SIGKILL)
                    process.handle.wait()
                await asyncio.sleep(_POLL_SECONDS)
