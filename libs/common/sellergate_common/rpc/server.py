"""The gRPC server every service runs: mutual TLS, interceptors, health, reflection, metrics, drain on SIGTERM."""

import asyncio
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any

import grpc
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1.health import SERVICE_NAME
from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc

from sellergate_common.allocator import return_freed_memory
from sellergate_common.blocking.heap import settle_heap
from sellergate_common.identity.metrics import certificate_metrics
from sellergate_common.identity.policy import Access
from sellergate_common.identity.renewal import ServerCertificate
from sellergate_common.identity.tls import Identity
from sellergate_common.observability.endings import end_for_address
from sellergate_common.observability.logs import get_logger
from sellergate_common.observability.tracing import configure_tracing
from sellergate_common.rpc.admission import Admission
from sellergate_common.rpc.channel import KEEPALIVE_TIMEOUT_MILLISECONDS, MAX_MESSAGE_BYTES
from sellergate_common.rpc.health import Health
from sellergate_common.rpc.interceptors import InterceptedServer, Interceptors
from sellergate_common.rpc.request_bytes import longest_message
from sellergate_common.settings import ServerSettings

# The seconds without a running handler after which a drain ends although connections are open.
IDLE_SECONDS, _LOOK_SECONDS = 0.5, 0.1

MAX_CALLS_OF_CONNECTION = 1_000
"""The most concurrent calls of a connection; further calls wait in the client. Each may hold one unauthenticated message."""
_GENERATED = "_pb2_grpc"


async def run_server(
    name: str,
    port: int,
    settings: ServerSettings,
    *,
    servicers: Sequence[object],
    health: Health,
    access: Access | None = None,
    admission: Admission | None = None,
    polls: frozenset[str] = frozenset(),
) -> None:
    """Serve `servicers` (of generated base classes) as `name` ("account") until SIGTERM or SIGINT, then drain.

    The overall health and that of each service are SERVING from the end of the start until the drain begins. `admission`
    admits the servicers' unary calls, except `polls`: methods ("package.Service/Method") that other processes call all the
    time, and that are logged at debug.
    """
    return_freed_memory()
    configure_tracing(name)
    server = grpc.aio.server(
        options=[
            ("grpc.max_receive_message_length", longest_message(map(_name_of, servicers))),
            ("grpc.max_concurrent_streams", MAX_CALLS_OF_CONNECTION),
            ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
            ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
            ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_MILLISECONDS),
            # Running calls end on the old connection.
            ("grpc.max_connection_age_ms", int(settings.connection_age_seconds * 1000)),
            ("grpc.so_reuseport", 0),
        ],
    )
    layered: Any = InterceptedServer(server, Interceptors(name, access or Access(), health.metrics, admission, polls))
    names = [_register(servicer, layered) for servicer in servicers]
    health_pb2_grpc.add_HealthServicer_to_server(health.servicer, layered)
    reflected = [*names, SERVICE_NAME, reflection.SERVICE_NAME]
    reflection_pb2_grpc.add_ServerReflectionServicer_to_server(reflection.aio.ReflectionServicer(reflected), layered)
    address, identity = f"{settings.bind_host}:{port}", Identity.read(settings)
    certificate = ServerCertificate(identity)
    try:
        server.add_secure_port(address, certificate.credentials())
    except RuntimeError:
        end_for_address(address, f"SELLERGATE_{name.upper()}_PORT")
    await server.start()
    await health.serve(names)
    get_logger().info("serving", address=address, services=names)
    settle_heap()
    try:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(certificate_metrics(identity, health.background))
            await stack.enter_async_context(health.background.run("certificate", certificate.renew))
            await _wait_for_stop_signal()
    finally:
        get_logger().info("draining", seconds=settings.drain_seconds)
        await health.drain()
        await drain(server, lambda: health.metrics.in_flight, settings.drain_seconds)
        get_logger().info("stopped")


async def drain(server: grpc.aio.Server, in_flight: Callable[[], int], seconds: float) -> None:
    """Refuse new calls, let running calls finish for `seconds` at most, then close the connections.

    gRPC may never request the close of a connection that opens while the drain begins, and ends all of its calls with
    CANCELLED. The drain does not wait for such a connection: it ends once no handler runs.
    """
    stopping = asyncio.create_task(server.stop(seconds))
    idle = 0.0
    while idle < IDLE_SECONDS:
        done, _ = await asyncio.wait({stopping}, timeout=_LOOK_SECONDS)
        if done:
            return await stopping
        idle = 0.0 if in_flight() else idle + _LOOK_SECONDS
    await server.stop(None)
    return await stopping


def _base_of(servicer: object) -> type:
    return next(kind for kind in type(servicer).__mro__ if kind.__module__.endswith(_GENERATED))


def _name_of(servicer: object) -> str:
    """Return the full name of a servicer's service."""
    base = _base_of(servicer)
    return f"{base.__module__.rpartition('.')[0]}.{base.__name__.removesuffix('Servicer')}"


def _register(servicer: object, server: Any) -> str:
    """Add `servicer` to `server` through the generated module of its base class; return the service's full name."""
    base = _base_of(servicer)
    getattr(sys.modules[base.__module__], f"add_{base.__name__}_to_server")(servicer, server)
    return _name_of(servicer)


async def _wait_for_stop_signal() -> None:
    """Wait for SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()
