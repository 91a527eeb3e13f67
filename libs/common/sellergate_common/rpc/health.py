"""Health and metrics of a process, served from the beginning of its start, so that they show what delays a start."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from prometheus_client.registry import REGISTRY

from sellergate_common.observability.endings import end_for_address
from sellergate_common.observability.logs import get_logger
from sellergate_common.observability.telemetry import RpcMetrics, serve_metrics
from sellergate_common.settings import ServerSettings
from sellergate_common.tasks import BackgroundTasks

PROBE_SECONDS = 2.0
PROBE_TIMEOUT_SECONDS = 1.0
PROBE_BYTES = 4096

Probe = Callable[[], Awaitable[Any]]
_SERVING, _NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING


@dataclass(frozen=True, slots=True)
class Health:
    """The health of a process: overall and of each service, of its dependencies, and of its background tasks.

    The overall state is NOT_SERVING until `serve`. Each dependency is a health service of its own ("dependency/redis") and a
    metric, and changes no other. So is each task and condition of `background` ("background/changes"). Changes are logged.
    """

    servicer: Any
    metrics: RpcMetrics
    background: BackgroundTasks
    draining: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the drain begins."""
    _started: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def has_started(self) -> bool:
        """Whether the start has ended; until then no background task counts as overdue."""
        return self._started.is_set()

    async def serve(self, names: Iterable[str]) -> None:
        """Report SERVING for the process and for the services `names`."""
        self._started.set()
        for name in (health.OVERALL_HEALTH, *names):
            await self.servicer.set(name, _SERVING)

    async def drain(self) -> None:
        """Report NOT_SERVING for the process and all services until it ends."""
        self.draining.set()
        await self.servicer.enter_graceful_shutdown()


@asynccontextmanager
async def open_health(
    settings: ServerSettings, dependencies: Mapping[str, Probe], background: BackgroundTasks
) -> AsyncIterator[Health]:
    """Serve health and metrics on their own ports, where these are set, while the body runs.

    `dependencies` are probed every two seconds.
    """
    opened = Health(health.aio.HealthServicer(), RpcMetrics.register(), background)
    opened.metrics.background = background
    await opened.servicer.set(health.OVERALL_HEALTH, _NOT_SERVING)
    serve_metrics(settings.bind_host, settings.metrics_port)
    probed = await _serve_port(opened.servicer, settings)
    try:
        async with background.run("probes", partial(_probe_forever, opened, dependencies)):
            yield opened
    finally:
        REGISTRY.unregister(opened.metrics)
        if probed is not None:
            await probed.stop(None)


async def _serve_port(servicer: Any, settings: ServerSettings) -> grpc.aio.Server | None:
    """Serve only health, in plain text, where a port is set."""
    if not settings.health_port:
        return None
    # Probes need no certificate, and a probe sends only the name of a service.
    server = grpc.aio.server(
        options=[("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", PROBE_BYTES)],
    )
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    address = f"{settings.bind_host}:{settings.health_port}"
    try:
        server.add_insecure_port(address)
    except RuntimeError:
        end_for_address(address, "SELLERGATE_HEALTH_PORT")
    await server.start()
    return server


async def _probe_forever(opened: Health, dependencies: Mapping[str, Probe]) -> None:
    """Probe every dependency, task and condition every two seconds, and report to health, metrics and the log."""
    known: dict[str, bool] = {}
    problems: dict[str, str] = {}
    while True:
        for name, problem in opened.background.problems().items() if opened.has_started else ():
            await opened.servicer.set(f"background/{name}", _NOT_SERVING if problem else _SERVING)
            if problems.get(name, "") != problem:
                get_logger().warning("background", name=name, problem=problem or "none")
            problems[name] = problem
        responses = await asyncio.gather(*(_responds(probe) for probe in dependencies.values()))
        for dependency, up in zip(dependencies, responses, strict=True):
            await opened.servicer.set(f"dependency/{dependency}", _SERVING if up else _NOT_SERVING)
            opened.metrics.record_dependency(dependency, up=up)
            if known.get(dependency, True) != up:
                get_logger().warning("dependency", dependency=dependency, up=up)
            known[dependency] = up
        await asyncio.sleep(PROBE_SECONDS)


async def _responds(probe: Probe) -> bool:
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_SECONDS):
            await probe()
    except Exception:  # noqa: BLE001  (whatever a probe raises, the dependency does not respond)
        return False
    return True
