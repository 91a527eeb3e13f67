"""Bad inputs of ApplicationService."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp
from sellergate.account.v1 import application_service_pb2 as pb2
from sellergate.account.v1.application_pb2 import Application
from sellergate_common.errors import Reason

from tests.e2e.bad_inputs import CONTROL, MEGABYTE, STRANGE_IDS, Bad, World

SECRET = "amzn1.oa2-cs.v1.never-shown"
WRONG_URIS = {
    "http": "http://a.example/cb",
    "script": "javascript:alert(1)",
    "fragment": "https://a.example/cb#x",
    "empty fragment": "https://a.example/cb#",
    "no host": "https:///cb",
    "half an address": "https://[::1/cb",
    "password": "https://user:pass@a.example/cb",
    "port": "https://a.example:99999/cb",
    "space": "https://a.example/c b",
    "backslash": "https://a.example\\@b.example/cb",
    "relative": "/cb",
    "wildcard host": "https://*.example/cb",
    "right to left": "https://a.example/مرحبا",
}


def later(days: float) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(datetime.now(UTC) + timedelta(days=days))
    return stamp


def create(name: str, fields: str, message: str = "", /, **given: Any) -> Bad:
    outer = {"lwa_client_id": "amzn1.application-oa2-client.new", "lwa_client_secret": SECRET}
    outer |= {key: given.pop(key) for key in list(given) if key in outer}
    request = pb2.CreateApplicationRequest(application=Application(**given), **outer)
    return Bad(f"create {name}", "ApplicationService/CreateApplication", lambda _: request, fields, message=message)


def update(name: str, paths: list[str], fields: str, message: str = "", /, **given: Any) -> Bad:
    def request(world: World) -> pb2.UpdateApplicationRequest:
        application = Application(**{"application_id": world.application, **given})
        return pb2.UpdateApplicationRequest(application=application, update_mask=FieldMask(paths=paths))

    return Bad(f"update application {name}", "ApplicationService/UpdateApplication", request, fields, message=message)


def rotate(name: str, fields: str, message: str = "", /, **given: Any) -> Bad:
    def request(world: World) -> pb2.RotateClientSecretRequest:
        return pb2.RotateClientSecretRequest(**{"application_id": world.application, "client_secret": SECRET, **given})

    return Bad(f"rotate {name}", "ApplicationService/RotateClientSecret", request, fields, message=message)


def listed(name: str, fields: str, token: str = "", message: str = "", /, **given: Any) -> Bad:
    def request(world: World) -> pb2.ListApplicationsRequest:
        more = {"page_token": world.tokens[token]} if token else {}
        return pb2.ListApplicationsRequest(**{"owner_user_id": world.user, **more, **given})

    return Bad(f"list applications {name}", "ApplicationService/ListApplications", request, fields, message=message)


def creates() -> Iterator[Bad]:
    for name, uri in WRONG_URIS.items():
        uris = ["https://a.example/cb", uri]
        yield create(f"{name} redirect", "application.redirect_uris[1]", "https", redirect_uris=uris)
    twice = ["https://a.example/cb"] * 2
    yield create("redirect twice", "application.redirect_uris[1]", "once", redirect_uris=twice)
    yield create("21 redirects", "application.redirect_uris", "at most 20", redirect_uris=["https://a.example"] * 21)
    yield create("redirect control", "application.redirect_uris[0]", CONTROL, redirect_uris=["https://a.example/\t"])
    for name, character in {
        "nul": "\0",
        "newline": "\n",
        "c1": "\x9b",
        "bidi": "\u202e",
        "zero width": "\u200b",
    }.items():
        yield create(f"{name} in the name", "application.name", CONTROL, name=f"Shop{character}s")
    yield create("a megabyte of name", "application.name", name=MEGABYTE)
    yield create("id of Amazon's", "application.spapi_application_id", spapi_application_id=STRANGE_IDS["sql"])
    yield create("nothing", "lwa_client_id lwa_client_secret", lwa_client_id="", lwa_client_secret="")
    yield create("secret control", "lwa_client_secret", CONTROL, lwa_client_secret=SECRET + "\x1b")
    yield create("secret zero width", "lwa_client_secret", CONTROL, lwa_client_secret=SECRET + "\u200b")
    yield create("owner control", "application.owner_user_id", CONTROL, owner_user_id="u\x001")
    expiry = "application.secret_expire_time"
    yield create("expired secret", expiry, "future", secret_expire_time=later(-1))
    yield create("expiry nanos", expiry, secret_expire_time=Timestamp(seconds=1, nanos=-1))
    empty = pb2.CreateApplicationRequest(lwa_client_id="x", lwa_client_secret=SECRET)
    yield Bad("create no application", "ApplicationService/CreateApplication", lambda _: empty, "application")


def updates() -> Iterator[Bad]:
    for path in ("owner_user_id", "application_id", "*", "application.name", "", "lwa_client_secret"):
        yield update(f"path {path!r}", ["name", path], "update_mask", repr(path), name="New")
    yield update("no paths", [], "update_mask", name="New")
    yield update("a path twice", ["name", "name"], "update_mask", "once", name="New")
    yield update("5,000 paths", [f"nope{number}" for number in range(5_000)], "update_mask")
    script = [WRONG_URIS["script"]]
    yield update("script", ["redirect_uris"], "application.redirect_uris[0]", redirect_uris=script)
    yield update("name", ["name"], "application.name", CONTROL, name="a\u2028b")
    expiry = "secret_expire_time"
    yield update("expiry", [expiry], f"application.{expiry}", secret_expire_time=Timestamp(seconds=10**12))
    yield update("no expiry", [expiry], f"application.{expiry}")


def rotations() -> Iterator[Bad]:
    yield rotate("an ended secret in", "secret_expire_time", "future", secret_expire_time=later(-1))
    times = {"old_secret_expire_time": later(30), "secret_expire_time": later(20)}
    yield rotate("out of order", "old_secret_expire_time", "before secret_expire_time", **times)
    yield rotate("old beyond the new by default", "old_secret_expire_time", old_secret_expire_time=later(4000))
    yield rotate("old nanos", "old_secret_expire_time", old_secret_expire_time=Timestamp(nanos=10**9))
    yield rotate("new beyond the calendar", "secret_expire_time", secret_expire_time=Timestamp(seconds=10**12))
    yield rotate("issued in the future", "issue_time", "future", issue_time=later(1))
    yield rotate("issued beyond the calendar", "issue_time", issue_time=Timestamp(seconds=10**12))
    yield rotate("nothing in", "client_secret", client_secret="")
    yield rotate("control", "client_secret", CONTROL, client_secret=SECRET + "\r\n")
    yield rotate("a megabyte", "client_secret", client_secret=MEGABYTE)


def lists() -> Iterator[Bad]:
    other_list = "belongs to another list"
    yield listed("page size", "page_size", page_size=-(2**31))
    yield listed("owner", "owner_user_id", owner_user_id=MEGABYTE)
    yield listed("accounts' page token", "page_token", "accounts", other_list)
    yield listed("clients' page token", "page_token", "clients", other_list)
    yield listed("another owner's page token", "page_token", "applications", other_list, owner_user_id="u2")


def ids() -> Iterator[Bad]:
    requests = {"GetApplication": pb2.GetApplicationRequest, "DeleteApplication": pb2.DeleteApplicationRequest}
    missing = Reason.APPLICATION_NOT_FOUND
    for method, kind in requests.items():
        rpc = f"ApplicationService/{method}"
        for name in ("sql", "like", "nul", "emoji", "zero width", "a megabyte"):
            given = kind(application_id=STRANGE_IDS[name])
            yield Bad(f"{method} {name}", rpc, lambda _, given=given: given, reason=missing)
        yield Bad(f"{method} no id", rpc, lambda _, kind=kind: kind(), "application_id")
        others = lambda world, kind=kind: kind(application_id=world.strangers_application)  # noqa: E731
        yield Bad(f"{method} another's", rpc, others, reason=missing, caller="edge", user="user")
    sql, masked = STRANGE_IDS["sql"], FieldMask(paths=["name"])
    yield Bad(
        "UpdateApplication sql",
        "ApplicationService/UpdateApplication",
        lambda _: pb2.UpdateApplicationRequest(application=Application(application_id=sql), update_mask=masked),
        reason=missing,
    )
    yield Bad(
        "RotateClientSecret another's",
        "ApplicationService/RotateClientSecret",
        lambda world: pb2.RotateClientSecretRequest(application_id=world.strangers_application, client_secret=SECRET),
        reason=missing,
        caller="edge",
        user="user",
    )
    in_use = lambda world: pb2.DeleteApplicationRequest(application_id=world.application)  # noqa: E731
    yield Bad("delete in use", "ApplicationService/DeleteApplication", in_use, "application_id", message="accounts use")


CASES = (*creates(), *updates(), *rotations(), *lists(), *ids())
