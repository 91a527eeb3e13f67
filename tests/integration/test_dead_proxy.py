"""A proxy in the environment is only for the Internet: channels between services and probes do not use it."""

import asyncio

import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from sellergate_common.identity.tls import Identity
from sellergate_common.rpc.channel import open_channel
from sellergate_common.rpc.health import open_health
from sellergate_common.rpc.probe import serves
from sellergate_common.settings import ServerSettings
from sellergate_common.tasks import BackgroundTasks
from sellergate_devstack.processes.ports import LOOPBACK, free_ports
from sellergate_devstack.processes.probes import grpc_serves

from tests.conftest import TestAuthority
from tests.integration import servers

DEAD = "http://127.0.0.1:9"


class Health(health_pb2_grpc.HealthServicer):
    """A service that serves."""

    async def Check(  # noqa: N802  (the name in the contract)
        self, request: health_pb2.HealthCheckRequest, context: object
    ) -> health_pb2.HealthCheckResponse:
        return health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVING)


@pytest.fixture(autouse=True)
def dead_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("grpc_proxy", "http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, DEAD)
    for name in ("no_proxy", "NO_PROXY", "no_grpc_proxy"):
        monkeypatch.delenv(name, raising=False)


async def test_channels_between_services_and_local_probes_connect_directly(
    authority: TestAuthority,
) -> None:
    identity = Identity.of(*authority.files("account"))
    client = Identity.of(*authority.files("operator"))
    async with servers.serving("account", identity, {health_pb2_grpc.add_HealthServicer_to_server: Health()}) as target:
        async with open_channel(target, "account", client, ()) as channel:
            response = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=20)
        assert response.status == health_pb2.HealthCheckResponse.SERVING
        assert await grpc_serves(target, "account", client)()


async def test_the_probe_of_containers_connects_directly() -> None:
    (port,) = free_ports(1)
    settings = ServerSettings.model_construct(bind_host=LOOPBACK, health_port=port, metrics_port=0)
    async with open_health(settings, {}, BackgroundTasks()) as health:
        await health.serve([])
        assert await asyncio.to_thread(serves, f"{LOOPBACK}:{port}")
