"""The measured suite: all services, with the simulator and a connected demo seller."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sellergate_devstack.demo import run_demo
from sellergate_devstack.processes.ports import free_ports, free_row
from sellergate_devstack.settings import DevstackSettings
from sellergate_devstack.suite import Suite, running_suite

_SERVICES = ("edge", "account", "token", "iam", "gateway")


@asynccontextmanager
async def bench_suite(folder: Path) -> AsyncIterator[tuple[Suite, str]]:
    """Run the suite on free ports; yield it with the demo account's id."""
    simulator, *ports = free_row(5)[0], *free_ports(len(_SERVICES))
    of_services = {f"{name}_port": port for name, port in zip(_SERVICES, ports, strict=True)}
    settings = DevstackSettings(state_dir=folder, simulator="on", simulator_port=simulator, **of_services)
    async with running_suite(settings, lambda _: None) as suite:
        yield suite, await run_demo(suite, lambda _: None)
