"""Who may call what: the table of the contracts, cell by cell."""

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


def methods() -> Iterator[str]:
    for module in MODULES:
        for service in module.DESCRIPTOR.services_by_name.values():
            for method in service.methods:
                yield f"{service.full_name}/{method.name}"


def expected(identity: str, service: str, method: str) -> bool:
    """Written from the contracts' table, not from the code."""
    name = f"{service}.{method}"
    if name == "GatewayService.GetRestrictedDataToken":
        return identity in ("operator", "edge")
    match identity:
        case "edge":
            return service in (
                "AccountService",
                "ApplicationService",
                "DropInClientService",
                "GatewayService",
            ) or name in (
                "TokenService.VerifyAccount",
                "TokenService.StartAuthorization",
                "TokenService.CompleteAuthorization",
                "TokenService.HandleRotation",
            )
        case "gateway":
            return name in (
                "AccountService.GetAccount",
                "AccountAdminService.RecordCapture",
                "TokenService.GetAccessToken",
                "TokenService.InvalidateAccessToken",
                "TokenService.VerifyAccount",
                "IamService.AssumeRole",
                "IamService.InvalidateCredentials",
            )
        case "token":
            return service == "AccountSecretsService" or name in (
                "AccountService.UpsertAccount",
                "AccountService.GetAccount",
                "ApplicationService.GetApplication",
                "ApplicationService.RotateClientSecret",
            )
        case "iam":
            return name == "AccountService.GetAccount"
        case "client/demo":
            return service == "GatewayService" or name in (
                "AccountService.GetAccount",
                "AccountService.ListAccounts",
                "IamService.SignRequest",
            )
        case "operator":
            return service != "AccountSecretsService" and name != "DropInClientService.AuthenticateClient"
    return False


def test_every_cell_is_as_written() -> None:
    access, wrong = Access(), []
    for method in methods():
        service, _, name = method.partition("/")
        for identity in IDENTITIES:
            try:
                access.check(method, identity)
                allowed = True
            except NotAllowed:
                allowed = False
            if allowed != expected(identity, service.rpartition(".")[2], name):
                wrong.append((identity, method, allowed))
    assert not wrong


def test_named_callers_may_have_one_method_more() -> None:
    method = "sellergate.token.v1.TokenService/GetAccessToken"
    access = Access({method: frozenset({"client/billing"})})
    access.check(method, "client/billing")
    with pytest.raises(NotAllowed):
        access.check(method, "client/other")
    with pytest.raises(NotAllowed):
        access.check("sellergate.token.v1.TokenService/ClearTokenCache", "client/billing")


GET = "sellergate.account.v1.AccountService/GetAccount"


def who(uris: tuple[str, ...], users: tuple[str, ...] = (), method: str = GET) -> tuple[str, str]:
    names = [uri.encode() for uri in uris]
    caller = identify(Access(), method, names, {"on_behalf_of": users} if users else {})
    return caller.identity, caller.on_behalf_of


def test_the_edge_acts_for_exactly_one_user() -> None:
    edge = ("spiffe://sellergate/edge",)
    assert who(edge, ("u1",)) == ("edge", "u1")
    for users in ((), ("",), ("u1", "u2"), ("x" * 129,)):
        with pytest.raises(Unauthenticated):
            who(edge, users)
    assert who(edge, (), "sellergate.token.v1.TokenService/HandleRotation") == ("edge", "")
    assert who(edge, (), "grpc.health.v1.Health/Check") == ("edge", "")


def test_nobody_else_acts_for_users() -> None:
    for name in ("gateway", "operator", "client/demo"):
        with pytest.raises(NotAllowed):
            who((f"spiffe://sellergate/{name}",), ("u1",))


@pytest.mark.parametrize(
    "uris",
    [
        (),
        ("spiffe://other/edge",),
        ("spiffe://sellergate/",),
        ("spiffe://sellergate/edge", "spiffe://sellergate/token"),
    ],
)
def test_a_certificate_without_exactly_one_identity_is_nobody(uris: tuple[str, ...]) -> None:
    with pytest.raises(Unauthenticated):
        who(uris, ("u1",))
