"""Bad inputs of the REST edge."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tests.e2e.bad_inputs import MEGABYTE, World

ACCOUNTS = "/api/amazon/accounts"
SECRET = "Atzr|never-shown"
JSON = {"Content-Type": "application/json"}
_Given = Mapping[str, Any]


@dataclass(frozen=True)
class BadRest:
    """A bad request and its expected response, with the fields in the API's own spelling."""

    name: str
    method: str
    path: str | Callable[[World], str]
    given: _Given | Callable[[World], _Given] = field(default_factory=dict)
    fields: str = ""
    status: int = 400
    reason: str = "INVALID_REQUEST"

    def path_of(self, world: World) -> str:
        """Return the path of the request."""
        return self.path if isinstance(self.path, str) else self.path(world)

    def given_to(self, world: World) -> _Given:
        """Return the body and headers of the request."""
        return self.given(world) if callable(self.given) else self.given


def mine(world: World) -> str:
    return f"{ACCOUNTS}/{world.account}"


def connect(name: str, fields: str, **changes: Any) -> BadRest:
    body = {
        "amazonSellerId": "A9NEWSELLER",
        "marketplace": "US",
        "lwaClientId": "amzn1.application-oa2-client.new",
        "lwaClientSecret": SECRET,
        "refreshToken": SECRET,
    }
    return BadRest(f"connect {name}", "POST", ACCOUNTS, {"json": {**body, **changes}}, fields)


def connections() -> Iterator[BadRest]:
    raw: dict[str, bytes] = {
        "half a document": b'{"amazonSellerId": ',
        "no document": b"",
        "not UTF-8": b'{"amazonSellerId": "\xff\xfe"}',
        "a deep document": b"[" * 100_000,
        "a huge number": b'{"sandbox": ' + b"9" * 10_000 + b"}",
        "not JSON": b"amazonSellerId=A1B2C3D4E5",
    }
    for name, content in raw.items():
        yield BadRest(f"connect {name}", "POST", ACCOUNTS, {"content": content, "headers": JSON}, "body")
    for name, document in {"a list": b"[]", "a text": b'"US"', "null": b"null"}.items():
        yield BadRest(f"connect {name}", "POST", ACCOUNTS, {"content": document, "headers": JSON}, "body")
    yield connect("a number for a seller", "amazonSellerId", amazonSellerId=1)
    yield connect("null for a marketplace", "marketplace", marketplace=None)
    yield connect("a text for ids", "marketplaceIds", marketplaceIds="ATVPDKIKX0DER")
    yield connect("a number among ids", "marketplaceIds[1]", marketplaceIds=["ATVPDKIKX0DER", 1])
    yield connect("an unknown id", "marketplaceIds[0]", marketplaceIds=["A0"])
    yield connect("an unknown mode", "signingMode", signingMode="SIGV5")
    yield connect("a text for a flag", "sandbox", sandbox="perhaps")
    yield connect("an unknown marketplace", "marketplace", marketplace="XX")
    yield connect("a wrong role", "iamRoleArn", iamRoleArn="arn:aws:iam::123456789012:user/x")
    yield connect("100 kB of role", "iamRoleArn", iamRoleArn=MEGABYTE[:100_000])
    yield connect("100 kB of secret", "refreshToken", refreshToken=SECRET + MEGABYTE[:100_000])
    yield connect("an empty secret", "refreshToken", refreshToken="")
    yield connect("a control character", "refreshToken", refreshToken=SECRET + "\n")
    yield connect("a bidi override", "lwaClientId", lwaClientId="amzn1.\u202ex")
    yield connect("an unknown member", "externalId", externalId="mine")
    yield connect("a member of 100 kB", "?", **{MEGABYTE[:100_000]: 1})
    for name, member in {"role": "iamRoleArn", "secret": "refreshToken", "member": MEGABYTE}.items():
        large = connect(f"a megabyte of {name}", "", **{member: SECRET + MEGABYTE})
        yield replace(large, status=413, reason="REQUEST_ENTITY_TOO_LARGE")
    yield connect("ten thousand members", "?", **{f"m{number}": 1 for number in range(10_000)})
    foreign: dict[str, Callable[[World], str]] = {
        "another's": lambda world: world.strangers_application,
        "sql for an": lambda _: "' OR 1=1",
    }
    for name, application in foreign.items():
        yield BadRest(
            f"connect through {name} application",
            "POST",
            ACCOUNTS,
            lambda world, application=application: {
                "json": {
                    "amazonSellerId": "A9NEWSELLER",
                    "marketplace": "US",
                    "refreshToken": SECRET,
                    "applicationId": application(world),
                }
            },
            status=404,
            reason="APPLICATION_NOT_FOUND",
        )
    surrogates = {
        "a lone surrogate": (b'{"amazonSellerId": "A1B2C3D4E5", "marketplace": "\\ud800"}', "marketplace"),
        "a lone surrogate as secret": (
            b'{"amazonSellerId": "A1B2C3D4E5", "marketplace": "US", "refreshToken": "\\udc00"}',
            "refreshToken",
        ),
        "a member of lone surrogates": (
            b'{"amazonSellerId": "A1B2C3D4E5", "marketplace": "US", "\\ud800": 1}',
            "?",
        ),
    }
    for name, (content, fields) in surrogates.items():
        yield BadRest(f"connect {name}", "POST", ACCOUNTS, {"content": content, "headers": JSON}, fields)


def questions() -> Iterator[BadRest]:
    requests: dict[str, tuple[Any, str]] = {
        "pageSize": ("0", "pageSize"),
        "pageSize ": ("501", "pageSize"),
        "pageSize  ": ("ten", "pageSize"),
        "pageSize   ": ("9" * 5000, "pageSize"),
        "state": ("GONE", "state"),
        "marketplace": ("XX", "marketplace"),
        "marketplace ": ("US\0", "marketplace"),
        "marketplace  ": ("\u017fe", "marketplace"),
        "pageToken": ("abcdef", "pageToken"),
        "pageToken ": ("é\0", "pageToken"),
        "pageToken  ": ("x" * 10_000, "pageToken"),
    }
    for name, (value, fields) in requests.items():
        params = {name.strip(): value}
        yield BadRest(f"list {name.strip()} {value[:6]!a}", "GET", ACCOUNTS, {"params": params}, fields)
    for name, token in {"truncated": -4, "whole of another": None}.items():
        user = None if token else "stranger"
        yield BadRest(
            f"list {name} page token",
            "GET",
            ACCOUNTS,
            lambda world, cut=token, user=user: {
                "params": {"pageToken": world.tokens["accounts"][:cut]},
                "user": getattr(world, user or "user"),
            },
            "pageToken",
        )
    yield BadRest("check nothing", "GET", "/api/amazon/test/status", {}, "amazonAccountId")
    orders = lambda world: f"/api/amazon/test/orders?amazonAccountId={world.account}&marketplaceId=XX"  # noqa: E731
    yield BadRest("orders of no marketplace", "GET", orders, {}, "marketplaceId")
    flag = {"headers": {"x-sellergate-sandbox": "perhaps"}}
    call = lambda world: f"{mine(world)}/sp-api/sellers/v1/marketplaceParticipations"  # noqa: E731
    yield BadRest("call a perhaps", "GET", call, flag, "x-sellergate-sandbox")
    up = lambda world: f"{mine(world)}/sp-api/sellers/%2e%2e/x"  # noqa: E731
    yield BadRest("call upwards", "GET", up, {}, "path")


def changes() -> Iterator[BadRest]:
    bodies: dict[str, tuple[Any, str]] = {
        "nothing": ({}, "body"),
        "an owner": ({"userId": "u2"}, "userId"),
        "a state": ({"state": "ACTIVE"}, "state"),
        "the role without external id": ({"roleWithoutExternalId": True}, "roleWithoutExternalId"),
        "a secret to null": ({"refreshToken": None}, "refreshToken"),
        "an application to null": ({"applicationId": None}, "applicationId"),
        "a region": ({"region": "nowhere"}, "region"),
        "a role": ({"iamRoleArn": "arn:aws:iam::123456789012:role/*"}, "iamRoleArn"),
        "ids": ({"marketplaceIds": ["ATVPDKIKX0DER", "A0"]}, "marketplaceIds[1]"),
        "ids to numbers": ({"marketplaceIds": [1]}, "marketplaceIds[0]"),
    }
    for name, (body, fields) in bodies.items():
        yield BadRest(f"change {name}", "PATCH", mine, {"json": body}, fields)
    etags = {"an empty etag": '""', "no etag": "", "two etags": '"v1", "v2"', "a long etag": f'"{"v" * 5000}"'}
    etags |= {"half an etag": '"v1', "a weak etag": 'W/"v1"'}
    for name, etag in etags.items():
        given = {"json": {"region": "us-west-2"}, "headers": {"If-Match": etag}}
        yield BadRest(f"change for {name}", "PATCH", mine, given, "If-Match")
        yield BadRest(f"disconnect for {name}", "DELETE", mine, {"headers": {"If-Match": etag}}, "If-Match")
    yield BadRest("disconnect hard perhaps", "DELETE", mine, {"params": {"hard": "perhaps"}}, "hard")


def ids() -> Iterator[BadRest]:
    strange = {
        "sql": "x'%20OR%20'1'='1",
        "like": "%25",
        "nul": "a%00b",
        "bytes": "%ff%fe",
        "emoji": "%F0%9F%98%80",
        "bidi": "%E2%80%AE",
        "dots": "%2e%2e%5c",
        "long": "a" * 10_000,
    }
    for name, account_id in strange.items():
        for method in ("GET", "DELETE") if name in ("sql", "nul") else ("GET",):
            path = f"{ACCOUNTS}/{account_id}"
            yield BadRest(f"{method} {name}", method, path, {}, status=404, reason="ACCOUNT_NOT_FOUND")
    others = lambda world: f"{ACCOUNTS}/{world.strangers_account}"  # noqa: E731
    bodies: dict[str, _Given] = {
        "GET": {},
        "DELETE": {"params": {"hard": "true"}},
        "PATCH": {"json": {"sandbox": True}},
    }
    for method, given in bodies.items():
        yield BadRest(f"{method} another's", method, others, given, status=404, reason="ACCOUNT_NOT_FOUND")
    call = lambda world: f"{others(world)}/sp-api/sellers/v1/marketplaceParticipations"  # noqa: E731
    yield BadRest("call another's", "GET", call, {}, status=404, reason="ACCOUNT_NOT_FOUND")
    status = lambda world: f"/api/amazon/test/status?amazonAccountId={world.strangers_account}"  # noqa: E731
    yield BadRest("check another's", "GET", status, {}, status=404, reason="ACCOUNT_NOT_FOUND")
    for name, path in {"slash": f"{ACCOUNTS}/a%2Fb", "two slashes": f"{ACCOUNTS}//x"}.items():
        yield BadRest(f"GET {name}", "GET", path, {}, status=404, reason="NOT_FOUND")


CASES = (*connections(), *questions(), *changes(), *ids())
