"""Signatures of the iam service equal botocore's and those of AWS's published steps, and the simulator accepts them."""

import hashlib
import hmac
import http.client
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import product
from typing import Any
from urllib.parse import quote, urlsplit

import botocore.auth
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from pydantic import SecretStr
from sellergate_gateway.model import AwsCredentials as GatewayCredentials
from sellergate_gateway.spapi.http import AmazonRequest
from sellergate_gateway.spapi.sigv4 import SigV4Signer
from sellergate_iam.boto_signer import BotoSigner
from sellergate_iam.ports import AwsCredentials, Headers, Role, Session, UnsignedRequest
from sellergate_iam.sts import BotoSts

from tests.contract.simulator.simulator_process import (
    AWS_KEY_ID,
    AWS_SECRET,
    ROLE_ARN,
    US,
    Client,
    Simulator,
    running_simulator,
)

KEY, SECRET, TOKEN = "ASIAEXAMPLEEXAMPLE00", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "session/token+=="
CREDENTIALS = AwsCredentials(SecretStr(KEY), SecretStr(SECRET), SecretStr(TOKEN), 2_000_000_000.0, 3600)
HOST = "https://sellingpartnerapi-eu.amazon.com"
NOW = datetime(2026, 11, 24, 2, 0, 0, tzinfo=UTC)

PATHS = [
    "",
    "/",
    "/orders/v0/orders",
    "/orders/v0/orders/",
    "/catalog/2022-04-01/items/B0%2F1",
    "/catalog/items/B0%252F1",
    "/listings/2021-08-01/items/A1/sku%20with%20spaces",
    "/listings/items/A1/sku+plus",
    "/listings/items/A1/~tilde.and-dash_and.dot",
    "/listings/items/A1/%7Etilde%2Bplus%25percent",
    "/listings/items/A1/gr%C3%BC%C3%9Fe-%E6%97%A5%E6%9C%AC-%F0%9F%9A%80",
    "/listings/items/A1/%e6%97%a5",
    "/a//b///c",
    "/a/...;v=1,2/!$&'()*:@=",
    "/a/b%3Fc%23d",
]
QUERIES = [
    "",
    "?",
    "?marketplaceIds=ATVPDKIKX0DER",
    "?b=2&a=1&C=3&c=4",
    "?a=2&a=1&a=&a",
    "?a",
    "?a=",
    "?=a",
    "?a=b=c&d==",
    "?created=2026-11-01T00%3A00%3A00Z&b=%2C",
    "?a=x+y&b=x%20y&c=x%2By",
    "?a=%7E~&b=-._~",
    "?%C3%A4=%C3%B6&a%20b=c%26d",
    "?skus=A%252FB%2CC%2525",
    "?a=1&&b=2&",
    "?a-b=1&a=2&a.b=3&a_b=4&aB=5",
]
HEADERS: list[Headers] = [
    (),
    (("x-amz-access-token", "Atza|token"),),
    (("Content-Type", "application/json; charset=utf-8"), ("X-Amz-Access-Token", "Atza|T")),
    (("X-Inner", "a   b    c"), ("x-outer", "  padded  ")),
    (("X-Twice", "one"), ("x-twice", "two"), ("X-TWICE", " two  three ")),
    (("User-Agent", "never signed"), ("Connection", "close"), ("traceparent", "00-1"), ("Accept", "")),
    (("x-b", "2"), ("X-A", "1"), ("x-a-b", '"quoted, value"'), ("x-a", "0")),
]
BODIES = [b"", b"{}", '{"name":"日本"}'.encode(), bytes(range(256))]
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"]
REGIONS = ["us-east-1", "eu-west-1", "us-west-2"]


def table() -> Iterator[tuple[str, str, Headers, bytes, str]]:
    """Return every path with every query; methods, headers, bodies and regions alternate with different periods."""
    for number, (path, query) in enumerate(product(PATHS, QUERIES)):
        method = METHODS[number % 6]
        body = BODIES[number % 4] if method in {"POST", "PUT", "PATCH"} else b""
        yield method, f"{HOST}{path}{query}", HEADERS[number % 7], body, REGIONS[number % 3]


@pytest.fixture
def frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *_, **__: NOW)


def signed_headers(method: str, url: str, headers: Headers, body: bytes, region: str) -> dict[str, str]:
    hashed = hashlib.sha256(body).hexdigest() if body else ""
    return dict(BotoSigner().sign(UnsignedRequest(method, url, headers, hashed), CREDENTIALS, region))


def botocores(method: str, url: str, headers: Headers, body: bytes, region: str) -> dict[str, str]:
    # SP-API's canonical string keeps %2B of a path, while botocore encodes it as %252B.
    path, mark, query = url.partition("?")
    request = AWSRequest(method=method, url=path.replace("%2B", "+") + mark + query, data=body)
    for name, value in headers:
        request.headers[name] = value
    SigV4Auth(Credentials(KEY, SECRET, TOKEN), "execute-api", region).add_auth(request)
    return {name: request.headers[name] for name in ("authorization", "x-amz-date", "x-amz-security-token")}


def by_hand(method: str, url: str, headers: Headers, body: bytes, region: str) -> str:
    """AWS's steps ("Create a signed AWS API request"), without botocore.

    The path is encoded twice except for its plus signs; the query is unchanged.
    """
    parts = urlsplit(url)
    named: dict[str, list[str]] = {}
    unsigned = {"user-agent", "connection", "traceparent"}
    brought = (("host", parts.netloc), ("x-amz-date", "20261124T020000Z"), ("x-amz-security-token", TOKEN))
    for name, value in (*headers, *brought):
        if name.lower() not in unsigned:
            named.setdefault(name.lower(), []).append(" ".join(value.split()))
    path = "/" + "/".join(one for one in parts.path.split("/") if one)
    path += "/" if parts.path.endswith("/") and path != "/" else ""
    path = path.replace("%2B", "+")
    pairs = sorted(pair.partition("=")[::2] for pair in parts.query.split("&")) if parts.query else []
    lines = [method, quote(path, safe="/-_.~"), "&".join(f"{name}={value}" for name, value in pairs)]
    lines += [f"{name}:{','.join(named[name])}" for name in sorted(named)]
    lines += ["", ";".join(sorted(named)), hashlib.sha256(body).hexdigest()]
    scope = f"20261124/{region}/execute-api/aws4_request"
    to_sign = "\n".join(
        ["AWS4-HMAC-SHA256", "20261124T020000Z", scope, hashlib.sha256("\n".join(lines).encode()).hexdigest()]
    )
    key = f"AWS4{SECRET}".encode()
    for part in (*scope.split("/"), to_sign):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    credential = f"AWS4-HMAC-SHA256 Credential={KEY}/{scope}"
    return f"{credential}, SignedHeaders={';'.join(sorted(named))}, Signature={key.hex()}"


@pytest.mark.usefixtures("frozen")
def test_every_signature_of_the_table_equals_botocores_and_aws_own() -> None:
    rows = list(table())
    assert len(rows) == len(set(rows)) >= 200
    for row in rows:
        signed = signed_headers(*row)
        assert signed == botocores(*row), row
        assert signed["authorization"] == by_hand(*row), row
        assert signed["x-amz-date"] == "20261124T020000Z"
        assert signed["x-amz-security-token"] == TOKEN


@pytest.mark.usefixtures("frozen")
def test_the_gateway_and_the_iam_service_sign_alike() -> None:
    held = GatewayCredentials(*(getattr(CREDENTIALS, name) for name in GatewayCredentials.__slots__))
    for method, url, _, body, region in table():
        headers = (("x-amz-access-token", "Atza|token"),)
        sent = SigV4Signer(NOW.timestamp).sign(AmazonRequest(method, url, headers, body), held, region)
        added = {name.lower(): value for name, value in sent.headers if name != "x-amz-access-token"}
        assert added == signed_headers(method, url, headers, body, region)


@pytest.fixture(scope="module")
def amazon() -> Iterator[Simulator]:
    with running_simulator() as simulator:
        keys = [{"access_key_id": AWS_KEY_ID, "secret_access_key": AWS_SECRET}]
        simulator.post_control("seed", {"roles": [{"arn": ROLE_ARN}], "aws_keys": keys})
        simulator.post_control("rates", {"scale": 1000, "burst_scale": 100})
        yield simulator


@pytest.fixture
async def session(amazon: Simulator, monkeypatch: pytest.MonkeyPatch) -> Any:
    for name, value in (
        ("ACCESS_KEY_ID", AWS_KEY_ID),
        ("SECRET_ACCESS_KEY", AWS_SECRET),
        ("ENDPOINT_URL", amazon.main),
    ):
        monkeypatch.setenv(f"AWS_{name}", value)
    sts = BotoSts("us-east-1", lambda: 0.0)
    yield await sts.assume(Role(ROLE_ARN, "", "us-east-1"), Session("test", 900))
    sts.close()


def send(url: str, method: str, headers: Headers, body: bytes) -> tuple[int, bytes]:
    """Send a request byte by byte as it was signed: this client rewrites no URL."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=10)
    connection.putrequest(method, url.removeprefix(f"{parts.scheme}://{parts.netloc}"), skip_accept_encoding=True)
    for name, value in headers:
        connection.putheader(name, value)
    if body:
        connection.putheader("content-length", str(len(body)))
    connection.endheaders(body or None)
    response = connection.getresponse()
    received = response.status, response.read()
    connection.close()
    return received


@pytest.fixture(scope="module")
def client(amazon: Simulator) -> Client:
    return amazon.client(US)


def test_the_simulator_accepts_only_what_was_signed(amazon: Simulator, client: Client, session: AwsCredentials) -> None:
    before = amazon.counters()["signed_calls"]
    given = (("x-amz-access-token", client.access_token()), ("x-inner", "a   b"), ("x-twice", "1"), ("x-twice", "2"))
    segments = [path.rpartition("/")[2] for path in PATHS if path.rpartition("/")[2]]
    reads = [
        ("GET", f"/messaging/v1/orders/{one}/attributes{query}", b"") for one in segments for query in QUERIES[2:5]
    ]
    write = ("POST", f"/solicitations/v1/orders/1/solicitations/productReviewAndSellerFeedback?marketplaceIds={US}")
    for method, target, body in (*reads, (*write, b'{"a":1}')):
        url = amazon.url("na") + target
        hashed = hashlib.sha256(body).hexdigest()
        added = BotoSigner().sign(UnsignedRequest(method, url, given, hashed), session, "us-east-1")
        status, response = send(url, method, given + added, body)
        assert status in {200, 201}, (target, response)
        if body:
            assert send(url, method, given + added, b'{"a":2}')[0] == 403
        assert send(url.replace("/v1/", "/v2/").replace("?", "?x=1&"), method, given + added, body)[0] == 403
    assert amazon.counters()["signed_calls"] == before + len(reads) + 1
