"""No peer is trusted by its address: servers accept only certificates of Sellergate's authority."""

import socket
import ssl
from datetime import timedelta

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from sellergate.account.v1 import account_secrets_service_pb2 as secrets
from sellergate.account.v1 import account_service_pb2 as accounts
from sellergate.account.v1.account_secrets_service_pb2_grpc import AccountSecretsServiceStub
from sellergate.account.v1.account_service_pb2_grpc import AccountServiceStub
from sellergate_common.errors import NotAllowed, Unauthenticated
from sellergate_common.identity.tls import SERVER_NAME_SUFFIX, Identity
from sellergate_common.rpc.channel import invoke, open_channel
from sellergate_devstack import certificates
from sellergate_devstack.suite import Suite

from tests.conftest import TestAuthority

SERVICES = {
    "account": {
        "sellergate.account.v1.AccountAdminService",
        "sellergate.account.v1.AccountSecretsService",
        "sellergate.account.v1.AccountService",
        "sellergate.account.v1.ApplicationService",
        "sellergate.account.v1.DropInClientService",
    },
    "token": {"sellergate.token.v1.TokenService"},
    "iam": {"sellergate.iam.v1.IamService"},
    "gateway": {"sellergate.gateway.v1.GatewayService", "sellergate.gateway.v1.CaptureService"},
}
OUR_OWN = {"grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"}


def channel_of(suite: Suite, name: str, identity: Identity) -> grpc.aio.Channel:
    options = [("grpc.ssl_target_name_override", name + SERVER_NAME_SUFFIX)]
    return grpc.aio.secure_channel(suite.target(name), identity.channel_credentials(), options=options)


async def health(channel: grpc.aio.Channel, service: str = "") -> int:
    stub = health_pb2_grpc.HealthStub(channel)
    response = await stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=5)
    return int(response.status)


@pytest.mark.parametrize("name", SERVICES)
async def test_reflection_lists_every_service_and_health_reports_each(suite: Suite, name: str) -> None:
    async with channel_of(suite, name, suite.identity("client/demo")) as channel:
        call = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(timeout=5)
        await call.write(reflection_pb2.ServerReflectionRequest(list_services=""))
        await call.done_writing()
        listed = {service.name for service in (await call.read()).list_services_response.service}
        call.cancel()
        assert listed == SERVICES[name] | OUR_OWN
        for service in ("", *SERVICES[name], "dependency/redis"):
            assert await health(channel, service) == health_pb2.HealthCheckResponse.SERVING, service


@pytest.mark.parametrize("name", SERVICES)
async def test_a_plain_text_client_gets_no_response(suite: Suite, name: str) -> None:
    async with grpc.aio.insecure_channel(suite.target(name)) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await health(channel)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize("name", SERVICES)
async def test_a_foreign_certificate_gets_no_response(
    suite: Suite, name: str, foreign_authority: TestAuthority
) -> None:
    foreign = foreign_authority.identity("operator")
    valid = suite.identity("operator")
    # It trusts Sellergate's authority, and presents its own certificate.
    forged = Identity(valid.ca, foreign.certificate, foreign.key)
    for identity in (foreign, forged):
        async with channel_of(suite, name, identity) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await health(channel)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize("name", SERVICES)
async def test_an_expired_certificate_gets_no_response(
    suite: Suite, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certificates, "LIFE", timedelta(minutes=-1))
    files = suite.plan.state.authority.issue("client/ended")
    ended = Identity(files.ca.read_bytes(), files.certificate.read_bytes(), files.key.read_bytes())
    async with channel_of(suite, name, ended) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await health(channel)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize("name", SERVICES)
def test_servers_use_tls_1_3(suite: Suite, name: str) -> None:
    files = suite.files("client/demo")
    context = ssl.create_default_context(cafile=str(files.ca))
    context.load_cert_chain(files.certificate, files.key)
    context.set_alpn_protocols(["h2"])
    host, port = suite.target(name).split(":")
    with (
        socket.create_connection((host, int(port)), timeout=5) as raw,
        context.wrap_socket(raw, server_hostname=name + SERVER_NAME_SUFFIX) as wrapped,
    ):
        assert wrapped.version() == "TLSv1.3"


async def test_a_client_without_a_certificate_gets_no_response(suite: Suite) -> None:
    credentials = grpc.ssl_channel_credentials(root_certificates=suite.identity("operator").ca)
    options = [("grpc.ssl_target_name_override", "gateway.sellergate")]
    async with grpc.aio.secure_channel(suite.target("gateway"), credentials, options=options) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await health(channel)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_one_service_cannot_impersonate_another(suite: Suite) -> None:
    options = [("grpc.ssl_target_name_override", "account.sellergate")]
    credentials = suite.identity("operator").channel_credentials()
    async with grpc.aio.secure_channel(suite.target("token"), credentials, options=options) as channel:
        with pytest.raises(grpc.aio.AioRpcError):
            await health(channel)


async def test_the_policy_is_enforced_over_the_network(suite: Suite) -> None:

    for name in ("operator", "edge", "gateway", "client/demo"):
        async with open_channel(suite.target("account"), "account", suite.identity(name), []) as channel:
            stub = AccountSecretsServiceStub(channel)
            request = secrets.GetAccountSecretsRequest(account_id="x")
            with pytest.raises(NotAllowed):
                await invoke(stub.GetAccountSecrets, request, dependency="account", on_behalf_of="")
            if name == "edge":
                with pytest.raises(Unauthenticated):
                    await invoke(
                        AccountServiceStub(channel).GetAccount,
                        accounts.GetAccountRequest(account_id="x"),
                        dependency="account",
                    )
