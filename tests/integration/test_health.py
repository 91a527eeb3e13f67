"""Health is served from the first moment of a start, and reports what the start waits for."""

import asyncio

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from prometheus_client import REGISTRY
from sellergate_common.rpc.health import open_health
from sellergate_common.settings import ServerSettings
from sellergate_common.tasks import BackgroundTasks
from sellergate_devstack.processes.ports import LOOPBACK, free_ports

SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING


async def test_a_start_that_waits_is_not_serving_and_names_what_is_down() -> None:
    """A whole account service that waits for its PostgreSQL is in tests/system/test_late_database.py."""
    (port,) = free_ports(1)
    settings = ServerSettings.model_construct(bind_host=LOOPBACK, health_port=port, metrics_port=0)
    up, background = False, BackgroundTasks()
    background.watch("changes", lambda: "not subscribed")

    async def probe() -> None:
        if not up:
            raise ConnectionRefusedError

    async with (
        open_health(settings, {"database": probe}, background) as health,
        grpc.aio.insecure_channel(f"{LOOPBACK}:{port}") as channel,
    ):
        stub = health_pb2_grpc.HealthStub(channel)

        async def becomes(name: str, state: int) -> None:
            async with asyncio.timeout(20):
                async for response in stub.Watch(health_pb2.HealthCheckRequest(service=name)):
                    if response.status == state:
                        return

        await becomes("", NOT_SERVING)
        await becomes("dependency/database", NOT_SERVING)
        assert REGISTRY.get_sample_value("sellergate_dependency_up", {"dependency": "database"}) == 0
        up = True
        await becomes("dependency/database", SERVING)
        await becomes("", NOT_SERVING)
        await becomes("background/changes", health_pb2.HealthCheckResponse.SERVICE_UNKNOWN)
        await health.serve(["sellergate.account.v1.AccountService"])
        await becomes("", SERVING)
        await becomes("sellergate.account.v1.AccountService", SERVING)
        await becomes("background/changes", NOT_SERVING)
        for large in (
            health_pb2.HealthCheckRequest(service="x" * 5000),
            health_pb2.HealthCheckRequest(service="x" * 1_000_000),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await stub.Check(large, timeout=20)
            assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        await health.drain()
        await becomes("", NOT_SERVING)
