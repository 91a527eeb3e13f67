"""The whole suite on this machine, for `make run`, the end-to-end tests and the benches."""

import shutil
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from sellergate_common.identity.tls import Identity

from sellergate_devstack.certificates import IdentityFiles
from sellergate_devstack.plan import Plan, make_plan
from sellergate_devstack.processes.supervisor import Supervisor
from sellergate_devstack.settings import DevstackSettings
from sellergate_devstack.state import Demo, State
from sellergate_devstack.user_tokens import TOKEN_SECONDS, user_token


class Suite:
    """A running suite."""

    def __init__(self, plan: Plan, supervisor: Supervisor) -> None:
        self.plan = plan
        self.supervisor = supervisor

    @property
    def edge(self) -> str:
        """The edge's base URL."""
        return self.plan.edge_url

    @property
    def simulator(self) -> str | None:
        """The simulator's base URL; None when it does not run."""
        return self.plan.simulator_url if self.plan.settings.wants_simulator else None

    @property
    def demo(self) -> Demo:
        """The demo seller."""
        return self.plan.demo

    @property
    def callback_url(self) -> str:
        """The redirect URI, to which Amazon sends browsers back."""
        return self.plan.callback_url

    @property
    def pids(self) -> dict[str, int]:
        """The process IDs by name."""
        return {name: process.pid for name, process in self.supervisor.processes.items()}

    def target(self, service: str) -> str:
        """Return the gRPC target of a service."""
        return self.plan.target(service)

    def files(self, name: str) -> IdentityFiles:
        """Return the certificate files of an identity ("operator", "client/demo")."""
        return self.plan.state.authority.issue(name)

    def identity(self, name: str) -> Identity:
        """Return an identity, with its files read."""
        files = self.files(name)
        return Identity(files.ca.read_bytes(), files.certificate.read_bytes(), files.key.read_bytes())

    def jwt(self, user_id: str, seconds: float = TOKEN_SECONDS) -> str:
        """Return a token of a user for the edge."""
        secret = self.plan.state.key_file("jwt").read_text().strip()
        return user_token(secret, user_id, self.plan.settings, seconds)

    def log(self, name: str) -> Path:
        """Return the log of a process."""
        return self.supervisor.processes[name].log

    def send(self, name: str, number: signal.Signals) -> None:
        """Send a process a signal."""
        self.supervisor.processes[name].send(number)

    async def restart(self, name: str) -> None:
        """Kill a process and start it again."""
        process = self.supervisor.processes[name]
        process.send(signal.SIGKILL)
        if process.handle is not None:
            process.handle.wait()
        process.start()
        await self.supervisor.wait_healthy(process)


@asynccontextmanager
async def running_suite(settings: DevstackSettings, report: Callable[[str], None]) -> AsyncIterator[Suite]:
    """Run the suite while the body runs. Raises StateInUse, PortTaken, ProcessDied, TimeoutError."""
    state = State(settings.folder)
    with state.locked():
        shutil.rmtree(state.folder / "logs")
        (state.folder / "logs").mkdir(mode=0o700)
        plan = make_plan(settings, state)
        supervisor = Supervisor(report)
        processes = plan.processes()
        supervisor.check_ports(processes)
        try:
            for process in processes:
                await supervisor.start(process)
            state.adopted()
            yield Suite(plan, supervisor)
        finally:
            await supervisor.stop()
