"""Bad inputs of AccountService."""

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from sellergate.account.v1 import account_pb2
from sellergate.account.v1 import account_service_pb2 as pb2
from sellergate_common.errors import Reason

from tests.e2e.bad_inputs import CONTROL, MEGABYTE, STRANGE_IDS, Bad, World

PAST = Timestamp(seconds=946_684_800)
SECRET, CLIENT_SECRET = "Atzr|never-shown", "amzn1.oa2-cs.v1.never-shown"
ARN = "arn:aws:iam::123456789012:role/SP-API-Role"
WRONG_ARNS = {
    "no account id": "arn:aws:iam:::role/SP-API-Role",
    "another service": "arn:aws:sts::123456789012:role/SP-API-Role",
    "a user": "arn:aws:iam::123456789012:user/SP-API-Role",
    "a newline at its end": ARN + "\n",
    "a wildcard": "arn:aws:iam::123456789012:role/*",
    "a partition in capitals": ARN.replace("aws", "AWS"),
    "no name": "arn:aws:iam::123456789012:role/",
    "only a path": "arn:aws:iam::123456789012:role/path/",
    "a long name": ARN + "x" * 513,
    "a long partition": ARN.replace("aws", "aws" + "-x" * 2000),
    "digits of another script": ARN.replace("1", "\u0661"),
}


def upsert(name: str, fields: str, message: str = "", /, **given: Any) -> Bad:
    def request(world: World) -> pb2.UpsertAccountRequest:
        good = {
            "user_id": world.user,
            "amazon_seller_id": "A9NEWSELLER",
            "marketplace": "US",
            "lwa_client_id": "amzn1.application-oa2-client.new",
            "lwa_client_secret": CLIENT_SECRET,
            "refresh_token": SECRET,
        }
        values = {key: value for key, value in (good | given).items() if value is not None}
        return pb2.UpsertAccountRequest(**values)

    return Bad(f"upsert {name}", "AccountService/UpsertAccount", request, fields, message=message)


def update(name: str, paths: list[str], fields: str, message: str = "", /, **given: Any) -> Bad:
    outer = {key: given.pop(key) for key in ("refresh_token", "lwa_client_secret", "etag") if key in given}

    def request(world: World) -> pb2.UpdateAccountRequest:
        account = account_pb2.Account(**{"account_id": world.account, **given})
        return pb2.UpdateAccountRequest(account=account, update_mask=FieldMask(paths=paths), **outer)

    return Bad(f"update {name}", "AccountService/UpdateAccount", request, fields, message=message)


def listed(name: str, fields: str, message: str = "", /, **given: Any) -> Bad:
    def request(world: World) -> pb2.ListAccountsRequest:
        return pb2.ListAccountsRequest(**{"user_id": world.user, **given})

    return Bad(f"list {name}", "AccountService/ListAccounts", request, fields, message=message)


def upserts() -> Iterator[Bad]:
    for name, arn in WRONG_ARNS.items():
        yield upsert(f"role with {name}", "iam_role_arn", iam_role_arn=arn)
    for name in ("amazon_seller_id", "iam_role_arn", "region", "marketplace", "application_id", "user_id"):
        yield upsert(
            f"a megabyte of {name}", name, **{name: MEGABYTE, "lwa_client_id": None, "lwa_client_secret": None}
        )
    for name in ("lwa_client_id", "lwa_client_secret", "refresh_token"):
        yield upsert(f"a megabyte of {name}", name, **{name: MEGABYTE})
        yield upsert(f"a control character in {name}", name, CONTROL, **{name: SECRET + "\x00"})
    yield upsert("a megabyte of a region's shape", "region", region="aa-" + "b" * 1_000_000 + "-1")
    yield upsert("five megabytes", "refresh_token", refresh_token="x" * 5_000_000)
    yield upsert("a megabyte among marketplace ids", "marketplace_ids[1]", marketplace_ids=["ATVPDKIKX0DER", MEGABYTE])
    yield upsert("nothing", "amazon_seller_id marketplace user_id", user_id="", amazon_seller_id="", marketplace="")
    for name, marketplace in {"unknown": "XX", "an id": "ATVPDKI", "like": "U%", "look-alike": "\u017fe"}.items():
        yield upsert(f"marketplace {name}", "marketplace", "one of AE, AU", marketplace=marketplace)
    yield upsert("marketplace sql", "marketplace", marketplace="US' OR 1=1")
    yield upsert("unknown marketplace id", "marketplace_ids[1]", marketplace_ids=["ATVPDKIKX0DER", "A0"])
    yield upsert("marketplace id in lower case", "marketplace_ids[0]", marketplace_ids=["atvpdkikx0der"])
    yield upsert("empty marketplace id", "marketplace_ids[0]", marketplace_ids=[""])
    yield upsert("marketplace id twice", "marketplace_ids[1]", "once", marketplace_ids=["ATVPDKIKX0DER"] * 2)
    yield upsert("33 marketplace ids", "marketplace_ids", "at most 32", marketplace_ids=["ATVPDKIKX0DER"] * 33)
    for seller_id in ("a1b2c3d4e5", "A1", "A" * 33, "A1B2C3D4E5\n", "' OR 1=1 --", "A1B2C3\u202eD4"):
        yield upsert(f"seller id {seller_id[:12]!a}", "amazon_seller_id", amazon_seller_id=seller_id)
    for region in ("nowhere", "US-EAST-1", "us-east-1;", "us-east-\u0661", "us" + "-a" * 20 + "-1"):
        yield upsert(f"region {region!a}", "region", region=region)
    for name, character in {"del": "\x7f", "c1": "\x85", "escape": "\x1b", "bidi isolate": "\u2066"}.items():
        yield upsert(f"{name} in the user id", "user_id", CONTROL, user_id=f"u{character}1")
    for name, character in {"bidi override": "\u202e", "zero width": "\u200b", "byte order mark": "\ufeff"}.items():
        yield upsert(f"{name} in the user id", "user_id", CONTROL, user_id=f"u{character}1")
    yield upsert("a joiner in the user id", "user_id", CONTROL, user_id="u\u200d1")
    yield upsert("a signing mode that does not exist", "signing_mode", signing_mode=99)
    for name, time in {"year 33658": (10**12, 0), "before year 1": (-(10**12), 0), "nanos": (1, 10**9)}.items():
        stamp = Timestamp(seconds=time[0], nanos=time[1])
        yield upsert(f"expiry {name}", "authorization_expire_time", authorization_expire_time=stamp)
    yield upsert("expiry in the past", "authorization_expire_time", "future", authorization_expire_time=PAST)
    yield upsert("no refresh token", "refresh_token", refresh_token="")
    yield upsert("no LWA client", "lwa_client_id", lwa_client_id=None, lwa_client_secret=None)
    yield upsert("only an LWA secret", "lwa_client_id", lwa_client_id=None)
    yield upsert("unknown LWA id without secret", "lwa_client_secret", lwa_client_id="unknown", lwa_client_secret=None)
    yield upsert("application and LWA client", "application_id", application_id="x")


def updates() -> Iterator[Bad]:
    for path in ("nope", "*", "", "account.region", "region.x", "Region", "region ", "x" * 100_000, "a' OR 1=1"):
        yield update(f"path {path[:16]!r}", [path], "update_mask")
    for path in ("account_id", "user_id", "external_id", "revision", "state", "etag", "marketplace"):
        yield update(f"immutable {path}", ["region", path], "update_mask", repr(path))
    yield update("no paths", [], "update_mask", sandbox=True)
    yield update("a path twice", ["region", "region"], "update_mask", "once", region="us-west-2")
    yield update("10,000 paths", [f"nope{number}" for number in range(10_000)], "update_mask")
    yield update("an empty token", ["refresh_token"], "refresh_token", refresh_token="")
    yield update("an empty LWA secret", ["lwa_client_secret"], "lwa_client_secret")
    yield update("a token with a newline", ["refresh_token"], "refresh_token", CONTROL, refresh_token=SECRET + "\n")
    yield update("an empty application", ["application_id"], "account.application_id")
    yield update("role wildcard", ["iam_role_arn"], "account.iam_role_arn", iam_role_arn=WRONG_ARNS["a wildcard"])
    yield update("region", ["region"], "account.region", region="nowhere")
    yield update("signing mode", ["signing_mode"], "account.signing_mode", signing_mode=-1)
    yield update("marketplace id", ["marketplace_ids"], "account.marketplace_ids[0]", marketplace_ids=["A0"])
    twice = ["ATVPDKIKX0DER", "A2EUQ1WTGCTBG2", "ATVPDKIKX0DER"]
    yield update("marketplace id twice", ["marketplace_ids"], "account.marketplace_ids[2]", marketplace_ids=twice)
    expiry = "authorization_expire_time"
    yield update("no expiry", [expiry], f"account.{expiry}")
    yield update("expiry in the past", [expiry], f"account.{expiry}", "future", authorization_expire_time=PAST)
    yield update("expiry nanos", [expiry], f"account.{expiry}", authorization_expire_time=Timestamp(nanos=-1))
    yield update("etag of a megabyte", ["region"], "etag", region="us-west-2", etag=MEGABYTE)
    not_found = Reason.APPLICATION_NOT_FOUND
    for name, request in {
        "sql": lambda world: account_pb2.Account(account_id=world.account, application_id=STRANGE_IDS["sql"]),
        "another's": lambda world: account_pb2.Account(
            account_id=world.account, application_id=world.strangers_application
        ),
    }.items():
        yield Bad(
            f"update application {name}",
            "AccountService/UpdateAccount",
            lambda world, made=request: pb2.UpdateAccountRequest(
                account=made(world), update_mask=FieldMask(paths=["application_id"])
            ),
            reason=not_found,
        )


def lists() -> Iterator[Bad]:
    yield listed("page size", "page_size", page_size=-1)
    yield listed(
        "page size and marketplace", "filter.marketplace page_size", page_size=-5, filter={"marketplace": MEGABYTE}
    )
    yield listed("marketplace", "filter.marketplace", "one of AE", filter={"marketplace": "XX"})
    yield listed("state 99", "filter.states[1]", filter={"states": [1, 99]})
    yield listed("state unspecified", "filter.states[0]", filter={"states": [0]})
    yield listed("SP-API region", "filter.spapi_region", filter={"spapi_region": "XX"})
    time = Timestamp(seconds=10**12)
    expiry = "filter.authorization_expire_before"
    yield listed("time", expiry, filter={"authorization_expire_before": time})
    tokens = {
        "random": "abcdef",
        "nul": "a\0b",
        "not ASCII": "é" * 8,
        "json": "W10",
        "deep": "W1tb" * 100,
        "long": MEGABYTE,
    }
    for name, token in tokens.items():
        yield listed(f"{name} page token", "page_token", page_token=token)
    changed: dict[str, tuple[Callable[[World], dict[str, Any]], str]] = {
        "truncated": (lambda world: {"user_id": world.user, "page_token": world.tokens["accounts"][:-5]}, "must be"),
        "another user's": (
            lambda world: {"user_id": world.stranger, "page_token": world.tokens["accounts"]},
            "another",
        ),
        "everybody's": (lambda world: {"page_token": world.tokens["accounts"]}, "another list"),
        "another filter's": (
            lambda world: {
                "user_id": world.user,
                "page_token": world.tokens["accounts"],
                "filter": {"marketplace": "US"},
            },
            "another list",
        ),
        "applications'": (
            lambda world: {"user_id": world.user, "page_token": world.tokens["applications"]},
            "another list",
        ),
        "tampered": (
            lambda world: {"user_id": world.user, "page_token": tampered(world.tokens["accounts"])},
            "must be",
        ),
    }
    for name, (given, message) in changed.items():
        request = lambda world, given=given: pb2.ListAccountsRequest(**given(world))  # noqa: E731
        yield Bad(f"list {name} page token", "AccountService/ListAccounts", request, "page_token", message=message)


def tampered(token: str) -> str:
    """Return a page token whose id is SQL."""
    time, _, digest = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    return base64.urlsafe_b64encode(json.dumps([time, "' OR 1=1 --", digest]).encode()).decode()


def strangers() -> Iterator[Bad]:
    """Yield requests for another user than the one that the edge acts for."""
    kinds: dict[str, Callable[[World], Message]] = {
        "UpsertAccount": lambda world: pb2.UpsertAccountRequest(
            user_id=world.user, amazon_seller_id=world.seller.seller_id, marketplace="US", refresh_token=SECRET
        ),
        "ListAccounts": lambda world: pb2.ListAccountsRequest(user_id=world.user),
        "UpdateAccount": lambda world: pb2.UpdateAccountRequest(
            account=account_pb2.Account(account_id=world.strangers_account, role_without_external_id=True),
            update_mask=FieldMask(paths=["role_without_external_id"]),
        ),
    }
    refused = Reason.CALLER_NOT_ALLOWED
    for method, request in kinds.items():
        rpc = f"AccountService/{method}"
        yield Bad(f"{method} by a stranger", rpc, request, reason=refused, caller="edge", user="stranger")


def ids() -> Iterator[Bad]:
    requests = {"GetAccount": pb2.GetAccountRequest, "DeleteAccount": pb2.DeleteAccountRequest}
    requests |= {"UndeleteAccount": pb2.UndeleteAccountRequest, "HardDeleteAccount": pb2.HardDeleteAccountRequest}
    for method, kind in requests.items():
        rpc, missing = f"AccountService/{method}", Reason.ACCOUNT_NOT_FOUND
        for name in STRANGE_IDS if method == "GetAccount" else ("sql", "nul"):
            given = STRANGE_IDS[name]
            yield Bad(f"{method} {name}", rpc, lambda _, kind=kind, given=given: kind(account_id=given), reason=missing)
        yield Bad(f"{method} no id", rpc, lambda _, kind=kind: kind(), "account_id")
        others = lambda world, kind=kind: kind(account_id=world.strangers_account)  # noqa: E731
        yield Bad(f"{method} another's", rpc, others, reason=missing, caller="edge", user="user")


CASES = (*upserts(), *updates(), *lists(), *strangers(), *ids())
