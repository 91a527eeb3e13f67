"""The service of docker-compose.yml that runs the demo once, prints commands to try, and then waits to report its health."""

import asyncio
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from sellergate_client.settings import ClientSettings
from sellergate_common.identity.tls import Identity
from sellergate_common.settings import load_settings

from sellergate_devstack.demo import DemoFailed, run_demo
from sellergate_devstack.prepare import prepare
from sellergate_devstack.processes.lines import report_lines
from sellergate_devstack.settings import DevstackSettings
from sellergate_devstack.state import Demo, read_demo
from sellergate_devstack.user_tokens import user_token

# In the container's own /tmp, to which no other process has access.
WALKED = Path("/tmp/walked")  # noqa: S108


class DemoSettings(ClientSettings):
    """The addresses of the containers, and this container's folder, which `init` filled."""

    edge_url: str = "http://edge:3001"
    public_url: str = "http://localhost:3001"
    files: Path = Path("/run/sellergate")


@dataclass(frozen=True, slots=True)
class Containers:
    """The suite for the demo."""

    settings: DemoSettings
    demo: Demo

    @property
    def edge(self) -> str:
        """The edge's base URL inside the network of containers."""
        return self.settings.edge_url

    @property
    def simulator(self) -> str:
        """A placeholder that shows that a simulator runs; no caller connects to it."""
        return "simulator"

    @property
    def callback_url(self) -> str:
        """The redirect URI, to which Amazon sends browsers back."""
        return f"{self.settings.public_url}/api/amazon/oauth/callback"

    def target(self, service: str) -> str:
        """Return the gRPC target of a service."""
        target: str = getattr(self.settings, f"{service}_target")
        return target

    def identity(self, name: str) -> Identity:  # noqa: ARG002  (there is one)
        """Return the operator's identity."""
        return Identity.read(self.settings)

    def jwt(self, user_id: str) -> str:
        """Return a token of a user for the edge."""
        return user_token((self.settings.files / "jwt-secret").read_text().strip(), user_id, DevstackSettings())


async def main() -> int:
    """Run the demo and print its results."""
    settings = load_settings(DemoSettings)
    demo = read_demo((settings.files / "demo.json").read_text(), DevstackSettings(simulator="on"))
    containers = Containers(settings, demo)
    try:
        account_id = await run_demo(containers, _report)
    except DemoFailed as error:
        _report(f"  failed: {error}")
        return 1
    await prepare(containers, account_id)
    report_lines(settings.public_url, containers.jwt(demo.user_id), account_id, demo.marketplace_id, _report)
    WALKED.touch()  # noqa: ASYNC240  (the loop serves no other task)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    await ended.wait()
    return 0


def _report(line: str) -> None:
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
