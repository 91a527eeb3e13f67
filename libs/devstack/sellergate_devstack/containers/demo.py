"""`run_demo` of docker-compose.yml: the main job on containers, once, with commands to try; then it waits, to report its health."""

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

# In the container's own /tmp, which no other process has.
WALKED = Path("/tmp/walked")  # noqa: S108


class DemoSettings(ClientSettings):
    """Where the containers are, and the folder that `init` filled for this one."""

    edge_url: str = "http://edge:3001"
    public_url: str = "http://localhost:3001"
    files: Path = Path("/run/sellergate")


@dataclass(frozen=True, slots=True)
class Containers:
    """The suite, as the walk sees it."""

    settings: DemoSettings
    demo: Demo

    @property
    def edge(self) -> str:
        """The edge's base URL from within."""
        return self.settings.edge_url

    @property
    def simulator(self) -> str:
        """A name that shows that there is a simulator; no caller connects to it."""
        return "simulator"

    @property
    def callback_url(self) -> str:
        """Where Amazon sends browsers back to."""
        return f"{self.settings.public_url}/api/amazon/oauth/callback"

    def target(self, service: str) -> str:
        """Return where a gRPC service listens."""
        target: str = getattr(self.settings, f"{service}_target")
        return target

    def identity(self, name: str) -> Identity:  # noqa: ARG002  (there is one)
        """Return the operator's identity."""
        return Identity.read(self.settings)

    def jwt(self, user_id: str) -> str:
        """Return a token of a user for the edge."""
        return user_token((self.settings.files / "jwt-secret").read_text().strip(), user_id, DevstackSettings())


async def main() -> int:
    """Do the main job, and report it."""
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
