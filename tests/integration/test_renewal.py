"""Certificates replaced while server and client run: both use the new files, and no call fails."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import grpc
import pytest
from cryptography import x509
from grpc_health.v1 import health_pb2, health_pb2_grpc
from prometheus_client import CollectorRegistry
from sellergate_common.identity import renewal
from sellergate_common.identity.metrics import certificate_metrics
from sellergate_common.identity.tls import Identity
from sellergate_common.rpc.channel import open_channel
from sellergate_common.tasks import BackgroundTasks
from sellergate_devstack import certificates
from structlog.testing import capture_logs

from tests.conftest import TestAuthority
from tests.integration import servers

LOOK = 0.05


class Health(health_pb2_grpc.HealthServicer):
    """A servicer that responds at once, and in a stream until the test ends it."""

    def __init__(self) -> None:
        self.may_end = asyncio.Event()

    async def Check(  # noqa: N802  (the name in the contract)
        self, request: health_pb2.HealthCheckRequest, context: object
    ) -> health_pb2.HealthCheckResponse:
        return health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVING)

    async def Watch(  # noqa: N802  (the name in the contract)
        self, request: health_pb2.HealthCheckRequest, context: object
    ) -> AsyncIterator[health_pb2.HealthCheckResponse]:
        yield health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVING)
        await self.may_end.wait()
        yield health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.NOT_SERVING)


class Mounted:
    """Files of an identity, as a secret is mounted for a process."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._files = folder / "ca.pem", folder / "tls.pem", folder / "tls.key"

    def put(self, authority: TestAuthority, name: str, *trusted: TestAuthority) -> Identity:
        """Write an identity that trusts its own authority or the given ones."""
        own = authority.files(name)
        for source, target in zip(own[1:], self._files[1:], strict=True):
            shutil.copyfile(source, target)
        self._files[0].write_bytes(b"".join(one.files(name)[0].read_bytes() for one in trusted or (authority,)))
        return Identity.of(*self._files)

    def put_certificate(self, authority: TestAuthority, name: str) -> None:
        """Write a certificate that does not belong to the key."""
        shutil.copyfile(authority.files(name)[1], self._files[1])


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renewal, "LOOK_SECONDS", LOOK)
    monkeypatch.setattr(renewal, "CONNECT_SECONDS", 1.0)


@pytest.fixture
def server(tmp_path: Path) -> Mounted:
    return Mounted(tmp_path / "server")


@pytest.fixture
def client(tmp_path: Path) -> Mounted:
    return Mounted(tmp_path / "client")


@asynccontextmanager
async def serving(identity: Identity, servicer: Health) -> AsyncIterator[str]:
    async with servers.serving("account", identity, {health_pb2_grpc.add_HealthServicer_to_server: servicer}) as target:
        yield target


async def responses(target: str, identity: Identity) -> bool:
    """Return whether the server accepts a new client."""
    async with open_channel(
        target, "account", Identity(identity.ca, identity.certificate, identity.key), []
    ) as channel:
        return await is_accepted(health_pb2_grpc.HealthStub(channel))


async def is_accepted(stub: health_pb2_grpc.HealthStub) -> bool:
    try:
        await stub.Check(health_pb2.HealthCheckRequest(), timeout=2)
    except grpc.aio.AioRpcError:
        return False
    return True


async def test_an_authority_is_replaced_under_a_server_and_its_client_step_by_step(
    server: Mounted, client: Mounted, authority: TestAuthority, foreign_authority: TestAuthority
) -> None:
    old, new, servicer = authority, foreign_authority, Health()
    async with (
        serving(server.put(old, "account"), servicer) as target,
        open_channel(target, "account", client.put(old, "edge"), []) as channel,
    ):
        stub = health_pb2_grpc.HealthStub(channel)
        assert await is_accepted(stub)
        stream = stub.Watch(health_pb2.HealthCheckRequest())
        assert (await stream.read()).status == health_pb2.HealthCheckResponse.SERVING
        assert not await responses(target, new.identity("edge"))
        for step in (
            lambda: (server.put(old, "account", old, new), client.put(old, "edge", old, new)),
            lambda: (server.put(new, "account", old, new), client.put(new, "edge", old, new)),
            lambda: (server.put(new, "account"), client.put(new, "edge")),
        ):
            step()
            for _ in range(20):
                assert await is_accepted(stub)
                await asyncio.sleep(LOOK / 4)
        assert await responses(target, new.identity("edge"))
        assert not await responses(target, old.identity("edge"))
        # A stream that began with the first certificate ends without an error.
        servicer.may_end.set()
        assert (await stream.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING


async def test_a_channel_connects_with_the_present_files(
    client: Mounted, authority: TestAuthority, foreign_authority: TestAuthority
) -> None:
    async with (
        serving(foreign_authority.identity("account"), Health()) as target,
        open_channel(target, "account", client.put(authority, "edge"), []) as channel,
    ):
        stub = health_pb2_grpc.HealthStub(channel)
        assert not await is_accepted(stub)
        client.put(foreign_authority, "edge")
        for _ in range(100):
            await asyncio.sleep(LOOK)
            if await is_accepted(stub):
                return
    pytest.fail("the channel did not take up its new files")


async def test_a_key_of_another_certificate_is_refused_and_logged_once(
    server: Mounted, authority: TestAuthority, foreign_authority: TestAuthority
) -> None:
    async with serving(server.put(authority, "account"), Health()) as target:
        with capture_logs() as logs:
            server.put_certificate(foreign_authority, "account")
            await asyncio.sleep(LOOK * 8)
        assert [line["event"] for line in logs] == ["certificate_refused"]
        assert await responses(target, authority.identity("edge"))
        with capture_logs() as logs:
            server.put(foreign_authority, "account")
            await asyncio.sleep(LOOK * 4)
        assert [line["event"] for line in logs] == ["certificate_renewed"]
        assert await responses(target, foreign_authority.identity("edge"))


async def test_an_expired_client_certificate_keeps_its_connection_and_opens_no_other(
    server: Mounted, client: Mounted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, servicer = TestAuthority(tmp_path / "own"), Health()
    async with serving(server.put(own, "account"), servicer) as target:
        for life in (2, 4, 8, 16):  # a busy machine may take longer than the life of the certificate to connect
            with monkeypatch.context() as patch:
                patch.setattr(certificates, "LIFE", timedelta(seconds=life))
                ending = client.put(own, "edge")
            channel = open_channel(target, "account", ending, [])
            stub = health_pb2_grpc.HealthStub(channel)
            if await is_accepted(stub):
                break
            await channel.close()
        async with channel, asyncio.timeout(40):
            stream = stub.Watch(health_pb2.HealthCheckRequest())
            assert (await stream.read()).status == health_pb2.HealthCheckResponse.SERVING
            while await responses(target, ending):  # noqa: ASYNC110  (a clock has no event)
                await asyncio.sleep(LOOK)
            assert await is_accepted(stub), "the connection that is open goes on"
            renewed = client.put(own, "edge")
            assert await responses(target, renewed)
            for _ in range(20):
                assert await is_accepted(stub), "no call notices that the certificate is replaced"
                await asyncio.sleep(LOOK / 4)
            servicer.may_end.set()
            assert (await stream.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING


async def test_the_expiry_of_the_certificate_in_use_is_a_metric(
    server: Mounted, authority: TestAuthority, foreign_authority: TestAuthority
) -> None:
    registry = CollectorRegistry()

    def reported() -> float | None:
        return registry.get_sample_value("sellergate_certificate_end_time_seconds")

    def ends(issuer: TestAuthority) -> float:
        return x509.load_pem_x509_certificate(issuer.identity("account").certificate).not_valid_after_utc.timestamp()

    async with certificate_metrics(server.put(authority, "account"), BackgroundTasks(), registry):
        assert reported() == ends(authority)
        server.put(foreign_authority, "account")
        await asyncio.sleep(LOOK * 4)
        assert reported() == ends(foreign_authority)
    assert reported() is None
