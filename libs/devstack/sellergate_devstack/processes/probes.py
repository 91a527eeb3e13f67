"""Readiness probes of the local run's processes."""

from collections.abc import Awaitable, Callable

import grpc
import httpx
from grpc_health.v1 import health_pb2, health_pb2_grpc
from sellergate_common.identity.tls import SERVER_NAME_SUFFIX, Identity
from sellergate_common.rpc.probe import NO_PROXY

from sellergate_devstack.servers.redis import responds_to_ping

PROBE_SECONDS = 2.0

Healthy = Callable[[], Awaitable[bool]]


def grpc_serves(target: str, service: str, identity: Identity) -> Healthy:
    """Return whether grpc.health.v1 reports SERVING for the process."""

    async def healthy() -> bool:
        options = [NO_PROXY, ("grpc.ssl_target_name_override", service + SERVER_NAME_SUFFIX)]
        async with grpc.aio.secure_channel(target, identity.channel_credentials(), options=options) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            try:
                response = await stub.Check(health_pb2.HealthCheckRequest(), timeout=PROBE_SECONDS)
            except grpc.aio.AioRpcError:
                return False
            return bool(response.status == health_pb2.HealthCheckResponse.SERVING)

    return healthy


def http_serves(url: str) -> Healthy:
    """Return whether a page has status 200."""

    async def healthy() -> bool:
        async with httpx.AsyncClient(timeout=PROBE_SECONDS, trust_env=False) as client:
            try:
                return (await client.get(url)).status_code == httpx.codes.OK
            except httpx.HTTPError:
                return False

    return healthy


def redis_serves(port: int, password: str) -> Healthy:
    """Return whether Redis responds to PING."""

    async def healthy() -> bool:
        return responds_to_ping(port, password)

    return healthy
