"""A supervisor that starts processes, watches them, reports the one that died, and ends them in order."""

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
    """A process that ended by itself; the message names it and shows its last lines."""


class PortTaken(Exception):
    """A required port that another process uses; the message names port and setting."""


@dataclass(slots=True)
class Process:
    """One process: its command and its readiness probe. `ports` are by the setting that changes them."""

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
        """Start the process, with its output in its log."""
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
        """Send the process a signal, if it runs."""
        if self.handle is not None and self.handle.poll() is None:
            self.handle.send_signal(number)

    def has_ended(self) -> bool:
        """Return whether the process was started and has ended."""
        return self.handle is not None and self.handle.poll() is not None

    def describe_exit(self) -> str:
        """Return a text with the exit code and the last lines."""
        code = self.handle.returncode if self.handle else None
        lines = self.log.read_text(errors="replace").splitlines()[-_LAST_LINES:] if self.log.exists() else []
        return "\n".join([f"{self.name} died with exit code {code}; its last lines:", *(f"  {line}" for line in lines)])


class Supervisor:
    """Processes in their start order; `report` gets a line for each event."""

    def __init__(self, report: Callable[[str], None]) -> None:
        self.processes: dict[str, Process] = {}
        self._report = report

    def check_ports(self, processes: Sequence[Process]) -> None:
        """Raise PortTaken that names every port in use, before anything is started."""
        taken = [
            f"port {port} of {process.name} is in use; set {setting} to another, or stop the process that listens on it"
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
                raise ProcessDied(process.describe_exit())
            if time.monotonic() > end:
                raise TimeoutError(f"{process.name} does not serve after {START_SECONDS:.0f} s; see {process.log}")
            await asyncio.sleep(_POLL_SECONDS)

    async def watch(self) -> None:
        """Wait until a process ends by itself, and raise ProcessDied."""
        while True:
            for process in self.processes.values():
                if process.has_ended():
                    raise ProcessDied(process.describe_exit())
            await asyncio.sleep(_POLL_SECONDS * 4)

    async def stop(self) -> None:
        """End all processes, the last one first: SIGTERM, and SIGKILL after ten seconds."""
        for process in reversed(self.processes.values()):
            process.send(signal.SIGCONT)  # a stopped process handles no other signal
            process.send(signal.SIGTERM)
            end = time.monotonic() + GRACE_SECONDS
            while process.handle is not None and not process.has_ended():
                if time.monotonic() > end:
                    self._report(f"  {process.name} does not end; killing it")
                    process.send(signal.SIGKILL)
                    process.handle.wait()
                await asyncio.sleep(_POLL_SECONDS)
