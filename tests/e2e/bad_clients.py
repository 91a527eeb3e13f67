"""Bad inputs of DropInClientService, AccountSecretsService and AccountAdminService."""

from collections.abc import Iterator
from typing import Any

from google.protobuf.message import Message
from sellergate.account.v1 import account_admin_service_pb2 as admin
from sellergate.account.v1 import account_secrets_service_pb2 as secrets
from sellergate.account.v1 import drop_in_client_service_pb2 as pb2
from sellergate_common.errors import Reason

from tests.e2e.bad_inputs import CONTROL, MEGABYTE, STRANGE_IDS, Bad, World

SECRET = "Atzr|never-shown"
REVOCABLE = ("sql", "like", "nul", "right to left", "bidi override", "a megabyte")
NOT_AN_ACCOUNT = Reason.ACCOUNT_NOT_FOUND


def create(name: str, fields: str, message: str = "", /, **given: Any) -> Bad:
    def request(world: World) -> pb2.CreateClientRequest:
        return pb2.CreateClientRequest(**{"user_id": world.user, "account_ids": [world.account], **given})

    return Bad(f"client {name}", "DropInClientService/CreateClient", request, fields, message=message)


def clients() -> Iterator[Bad]:
    yield create("without accounts", "account_ids", account_ids=[])
    yield create("of 1,001 accounts", "account_ids", "at most 1000", account_ids=["a"] * 1001)
    yield create("account control", "account_ids[1]", CONTROL, account_ids=["a", "b\0"])
    yield create("account length", "account_ids[0]", account_ids=[MEGABYTE])
    yield create("without user", "user_id", user_id="")
    for name, character in {
        "nul": "\0",
        "del": "\x7f",
        "bidi": "\u2067",
        "word joiner": "\u2060",
        "bom": "\ufeff",
    }.items():
        yield create(f"{name} in the name", "name", CONTROL, name=f"S{character}K")
    yield create("name length", "name", name=MEGABYTE)
    accounts = {"sql": ["' OR 1=1 --"], "like": ["%"], "empty": [""], "unknown": ["a"]}
    for name, given in accounts.items():
        request = lambda world, given=given: pb2.CreateClientRequest(  # noqa: E731
            user_id=world.user, account_ids=[world.account, *given]
        )
        yield Bad(f"client account {name}", "DropInClientService/CreateClient", request, reason=NOT_AN_ACCOUNT)
    others = lambda world: pb2.CreateClientRequest(  # noqa: E731
        user_id=world.user, account_ids=[world.account, world.strangers_account]
    )
    for caller, user in {"edge": "user", "operator": ""}.items():
        rpc = "DropInClientService/CreateClient"
        yield Bad(f"client another's account by {caller}", rpc, others, reason=NOT_AN_ACCOUNT, caller=caller, user=user)
    not_a_client = Reason.CLIENT_NOT_FOUND
    for name in REVOCABLE:
        revocation = pb2.RevokeClientRequest(client_id=STRANGE_IDS[name])
        yield Bad(
            f"revoke {name}", "DropInClientService/RevokeClient", lambda _, made=revocation: made, reason=not_a_client
        )
    revoke = lambda world: pb2.RevokeClientRequest(client_id=world.client)  # noqa: E731
    rpc = "DropInClientService/RevokeClient"
    yield Bad("revoke another's", rpc, revoke, reason=not_a_client, caller="edge", user="stranger")
    yield Bad("revoke no id", rpc, lambda _: pb2.RevokeClientRequest(), "client_id")


def lists_of_clients() -> Iterator[Bad]:
    rpc, other_list = "DropInClientService/ListClients", "belongs to another list"
    requests: dict[str, tuple[str, Any, str]] = {
        "page size": ("page_size", lambda world: {"user_id": world.user, "page_size": -1}, "from 0"),
        "token": ("page_token", lambda world: {"user_id": world.user, "page_token": "bad"}, "must be"),
        "token of applications": (
            "page_token",
            lambda world: {"user_id": world.user, "page_token": world.tokens["applications"]},
            other_list,
        ),
        "token of another": ("page_token", lambda world: {"page_token": world.tokens["clients"]}, other_list),
        "truncated token": (
            "page_token",
            lambda world: {"user_id": world.user, "page_token": world.tokens["clients"][:-9]},
            "must be",
        ),
        "user": ("user_id", lambda _: {"user_id": "u\u200e"}, CONTROL),
    }
    for name, (field, given, message) in requests.items():
        request = lambda world, given=given: pb2.ListClientsRequest(**given(world))  # noqa: E731
        yield Bad(f"list clients {name}", rpc, request, field, message=message)


def presented() -> Iterator[Bad]:
    rpc = "DropInClientService/AuthenticateClient"
    requests = {
        "client_id": pb2.AuthenticateClientRequest(client_secret="sgs_shown-never"),
        "client_secret": pb2.AuthenticateClientRequest(client_id="sgc_x", client_secret="sgs_\0shown-never"),
        "handle": pb2.AuthenticateClientRequest(client_id="sgc_x", client_secret="sgs_shown-never", handle=MEGABYTE),
    }
    for field, request in requests.items():
        yield Bad(f"present {field}", rpc, lambda _, made=request: made, field, caller="edge")
    sql = pb2.AuthenticateClientRequest(client_id="' OR '1'='1", client_secret="' OR '1'='1")
    yield Bad("present sql", rpc, lambda _: sql, caller="edge", reason=Reason.CALLER_UNAUTHENTICATED)


def secret_cases() -> Iterator[Bad]:
    rotate, revoked = secrets.RotateRefreshTokenRequest, secrets.MarkAuthorizationRevokedRequest

    def case(name: str, request: Any, fields: str = "", reason: Reason = Reason.INVALID_REQUEST) -> Bad:
        method = type(request("")).__name__.removesuffix("Request")
        made = lambda world: request(world.account)  # noqa: E731
        return Bad(f"{method} {name}", f"AccountSecretsService/{method}", made, fields, reason, "token")

    for revision in (0, -1, -(2**63)):
        yield case(
            f"revision {revision}",
            lambda account, revision=revision: rotate(
                account_id=account, expected_revision=revision, refresh_token=SECRET
            ),
            "expected_revision",
        )
        yield case(
            f"revision {revision}",
            lambda account, revision=revision: revoked(account_id=account, expected_revision=revision),
            "expected_revision",
        )
    for name, token in {
        "empty": "",
        "control": SECRET + "\n",
        "zero width": SECRET + "\u200b",
        "long": MEGABYTE,
    }.items():
        yield case(
            f"{name} token",
            lambda account, token=token: rotate(account_id=account, expected_revision=1, refresh_token=token),
            "refresh_token",
        )
    sql = STRANGE_IDS["sql"]
    kinds = {
        "get": lambda _: secrets.GetAccountSecretsRequest(account_id=sql),
        "rotate": lambda _: rotate(account_id=sql, expected_revision=1, refresh_token=SECRET),
        "revoked": lambda _: revoked(account_id=sql, expected_revision=1),
    }
    for request in kinds.values():
        yield case("sql", request, reason=NOT_AN_ACCOUNT)
    application, missing = secrets.GetApplicationSecretsRequest, Reason.APPLICATION_NOT_FOUND
    for name in ("sql", "nul", "a megabyte"):
        yield case(name, lambda _, given=STRANGE_IDS[name]: application(application_id=given), reason=missing)
    yield case("no id", lambda _: application(), "application_id")


def admin_cases() -> Iterator[Bad]:
    def of_audit(world: World) -> admin.ListAuditEventsRequest:
        return admin.ListAuditEventsRequest(account_id=world.strangers_account, page_token=world.tokens["audit"])

    def case(name: str, request: Message, fields: str = "", reason: Reason = Reason.INVALID_REQUEST) -> Bad:
        method = type(request).__name__.removesuffix("Request")
        return Bad(f"{method} {name}", f"AccountAdminService/{method}", lambda _: request, fields, reason)

    for size in (-1, 10_001, 2**31 - 1):
        yield case(f"batch of {size}", admin.RewrapSecretsRequest(batch_size=size), "batch_size")
    events, verify = admin.ListAuditEventsRequest, admin.VerifyAuditRequest
    yield case("unknown account", events(account_id="nobody"), reason=NOT_AN_ACCOUNT)
    yield case("sql", events(account_id=STRANGE_IDS["sql"]), reason=NOT_AN_ACCOUNT)
    yield case("nul", events(account_id="a\0"), "account_id")
    yield case("page size", events(page_size=-1), "page_size")
    yield case("page token", events(page_token="bad"), "page_token")
    rpc, message = "AccountAdminService/ListAuditEvents", "belongs to another list"
    yield Bad("page token of another account's audit", rpc, of_audit, "page_token", message=message)
    yield case("unknown account", verify(account_id="nobody"), reason=NOT_AN_ACCOUNT)
    yield case("a megabyte", verify(account_id=MEGABYTE), "account_id")


CASES = (*clients(), *lists_of_clients(), *presented(), *secret_cases(), *admin_cases())
