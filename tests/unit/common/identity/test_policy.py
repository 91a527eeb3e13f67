"""The identities that may call each RPC, compared with a table written from the contracts."""

from collections.abc import Iterator

import pytest
from sellergate.account.v1 import (
    account_admin_service_pb2,
    account_secrets_service_pb2,
    account_service_pb2,
    application_service_pb2,
    drop_in_client_service_pb2,
)
from sellergate.gateway.v1 import capture_service_pb2, gateway_service_pb2
from sellergate.iam.v1 import iam_service_pb2
from sellergate.token.v1 import token_service_pb2
from sellergate_common.errors import NotAllowed, Unauthenticated
from sellergate_common.identity.policy import Access, identify

MODULES = (
    account_admin_service_pb2,
    account_secrets_service_pb2,
    account_service_pb2,
    application_service_pb2,
    drop_in_client_service_pb2,
    capture_service_pb2,
    gateway_service_pb2,
    iam_service_pb2,
    token_service_pb2,
)
IDENTITIES = ("account", "edge", "gateway", "token", "iam", "client/demo", "operator", "stranger", "client")


# Each RPC and its callers, written from the contracts by hand; `client` is every internal service.
CALLERS = {
    "AccountAdminService/RewrapSecrets": "operator",
    "AccountAdminService/ImportAccounts": "operator",
    "AccountAdminService/ListAuditEvents": "edge operator",
    "AccountAdminService/VerifyAudit": "operator",
    "AccountAdminService/VerifyAuditAnchors": "operator",
    "AccountAdminService/RecordCapture": "gateway operator",
    "AccountSecretsService/GetAccountSecrets": "token",
    "AccountSecretsService/GetApplicationSecrets": "token",
    "AccountSecretsService/RotateRefreshToken": "token",
    "AccountSecretsService/MarkAuthorizationRevoked": "token",
    "AccountSecretsService/RestoreAuthorization": "token",
    "AccountSecretsService/FindApplication": "token",
    "AccountSecretsService/RecordSecretExpiry": "token",
    "AccountService/UpsertAccount": "edge token operator",
    "AccountService/GetAccount": "edge gateway token iam client operator",
    "AccountService/ListAccounts": "edge client operator",
    "AccountService/ListAccountChanges": "gateway token iam operator",
    "AccountService/UpdateAccount": "edge operator",
    "AccountService/DeleteAccount": "edge operator",
    "AccountService/UndeleteAccount": "edge operator",
    "AccountService/HardDeleteAccount": "edge operator",
    "ApplicationService/CreateApplication": "edge operator",
    "ApplicationService/GetApplication": "edge token operator",
    "ApplicationService/ListApplications": "edge operator",
    "ApplicationService/UpdateApplication": "edge operator",
    "ApplicationService/DeleteApplication": "edge operator",
    "ApplicationService/RotateClientSecret": "edge token operator",
    "DropInClientService/CreateClient": "edge operator",
    "DropInClientService/ListClients": "edge operator",
    "DropInClientService/GetClient": "edge operator",
    "DropInClientService/RevokeClient": "edge operator",
    "DropInClientService/AuthenticateClient": "edge",
    "CaptureService/Capture": "operator",
    "CaptureService/StartCapture": "edge operator",
    "CaptureService/EndCapture": "edge operator",
    "CaptureService/ListCapturedExchanges": "edge operator",
    "GatewayService/Call": "edge client operator",
    "GatewayService/StreamCalls": "edge client operator",
    "GatewayService/GetRestrictedDataToken": "edge operator",
    "GatewayService/StreamPages": "edge client operator",
    "GatewayService/DownloadDocument": "edge client operator",
    "GatewayService/UploadDocument": "edge client operator",
    "GatewayService/RunReport": "edge client operator",
    "GatewayService/CheckAccount": "edge client operator",
    "GatewayService/ListOperations": "edge client operator",
    "GatewayService/GetOperation": "edge client operator",
    "GatewayService/GetQuota": "edge client operator",
    "IamService/AssumeRole": "gateway operator",
    "IamService/SignRequest": "client operator",
    "IamService/InvalidateCredentials": "gateway operator",
    "IamService/ClearCredentialsCache": "operator",
    "IamService/GetCredentialsCacheStats": "operator",
    "TokenService/GetAccessToken": "gateway operator",
    "TokenService/VerifyAccount": "edge gateway operator",
    "TokenService/InvalidateAccessToken": "gateway operator",
    "TokenService/ClearTokenCache": "operator",
    "TokenService/GetTokenCacheStats": "operator",
    "TokenService/StartAuthorization": "edge operator",
    "TokenService/CompleteAuthorization": "edge operator",
    "TokenService/HandleRotation": "edge operator",
}


def methods() -> Iterator[str]:
    for module in MODULES:
        for service in module.DESCRIPTOR.services_by_name.values():
            for method in service.methods:
                yield f"{service.full_name}/{method.name}"


def test_every_cell_matches_the_table() -> None:
    access, wrong = Access(), []
    for method in methods():
        service, _, name = method.partition("/")
        for identity in IDENTITIES:
            try:
                access.check(method, identity)
                allowed = True
            except NotAllowed:
                allowed = False
            callers = CALLERS.get(f"{service.rpartition('.')[2]}/{name}", "").replace("client", "client/demo").split()
            if allowed != (identity in callers):
                wrong.append((identity, method, allowed))
    assert not wrong


def test_the_table_has_no_other_rpcs() -> None:
    assert set(CALLERS) == {method.rpartition(".")[2] for method in methods()}


def test_a_setting_adds_one_method_for_named_callers() -> None:
    method = "sellergate.token.v1.TokenService/GetAccessToken"
    access = Access({method: frozenset({"client/billing"})})
    access.check(method, "client/billing")
    with pytest.raises(NotAllowed):
        access.check(method, "client/other")
    with pytest.raises(NotAllowed):
        access.check("sellergate.token.v1.TokenService/ClearTokenCache", "client/billing")


GET = "sellergate.account.v1.AccountService/GetAccount"


def identify_caller(uris: tuple[str, ...], users: tuple[str, ...] = (), method: str = GET) -> tuple[str, str]:
    names = [uri.encode() for uri in uris]
    caller = identify(Access(), method, names, {"on_behalf_of": users} if users else {})
    return caller.identity, caller.on_behalf_of


def test_the_edge_names_exactly_one_user() -> None:
    edge = ("spiffe://sellergate/edge",)
    assert identify_caller(edge, ("u1",)) == ("edge", "u1")
    for users in ((), ("",), ("u1", "u2"), ("x" * 129,)):
        with pytest.raises(Unauthenticated):
            identify_caller(edge, users)
    assert identify_caller(edge, (), "sellergate.token.v1.TokenService/HandleRotation") == ("edge", "")
    assert identify_caller(edge, (), "grpc.health.v1.Health/Check") == ("edge", "")


def test_only_the_edge_acts_for_users() -> None:
    for name in ("gateway", "operator", "client/demo"):
        with pytest.raises(NotAllowed):
            identify_caller((f"spiffe://sellergate/{name}",), ("u1",))


@pytest.mark.parametrize(
    "uris",
    [
        (),
        ("spiffe://other/edge",),
        ("spiffe://sellergate/",),
        ("spiffe://sellergate/edge", "spiffe://sellergate/token"),
    ],
)
def test_a_certificate_without_exactly_one_identity_is_refused(uris: tuple[str, ...]) -> None:
    with pytest.raises(Unauthenticated):
        identify_caller(uris, ("u1",))
