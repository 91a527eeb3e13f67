"""The requests that the iam service signs and refuses, on fakes."""

from typing import Any

import pytest
from pydantic import SecretStr
from sellergate_common.errors import InvalidRequest, NotAllowed
from sellergate_common.sites import Sites
from sellergate_iam.credentials import Credentials
from sellergate_iam.ports import AwsCredentials, Headers, Role, Session, UnsignedRequest
from sellergate_iam.signatures import Signatures

from tests.fakes.common import FakeCache

ARN = "arn:aws:iam::123456789012:role/sp-api-1"
HOSTS = {name: f"sellingpartnerapi-{name.lower()}.amazon.com" for name in ("NA", "EU", "FE")}
AMAZON = {name: f"https://{host}" for name, host in HOSTS.items()}
SANDBOX = {name: f"https://sandbox.{host}" for name, host in HOSTS.items()}


class Recorder:
    """An account service, an STS and a signer that record their calls."""

    def __init__(self, marketplace: str) -> None:
        self.marketplace = marketplace
        self.assumed: list[Session] = []
        self.signed: list[tuple[str, str]] = []

    async def role(self, account_id: str, at_least: int = 0) -> Role:
        return Role(ARN, "ext", "us-east-1", account_id, 1, self.marketplace)

    async def assume(self, role: Role, session: Session) -> AwsCredentials:
        self.assumed.append(session)
        return AwsCredentials(SecretStr("ASIA"), SecretStr("s"), SecretStr("t"), 4600.0, 3600)

    def sign(self, request: UnsignedRequest, credentials: AwsCredentials, region: str) -> Headers:
        self.signed.append((request.url, region))
        return (("authorization", "AWS4"),)


def signatures(recorder: Recorder, allowed: tuple[str, ...] = (), production: Any = None) -> Signatures:
    cache: FakeCache[Role, AwsCredentials] = FakeCache(lambda found: found.access_key_id, lambda: 1000.0)
    credentials = Credentials(recorder, recorder, cache, allowed)
    return Signatures(recorder, credentials, Sites(production or AMAZON, SANDBOX), recorder)


def request(url: str, *headers: tuple[str, str]) -> UnsignedRequest:
    return UnsignedRequest("GET", url, headers, "")


@pytest.mark.parametrize(
    ("marketplace", "region", "name"),
    [("US", "us-east-1", "NA"), ("DE", "eu-west-1", "EU"), ("GB", "eu-west-1", "EU"), ("JP", "us-west-2", "FE")],
)
async def test_the_marketplace_determines_host_and_region(marketplace: str, region: str, name: str) -> None:
    recorder = Recorder(marketplace)
    signing = signatures(recorder)
    for url in (f"{AMAZON[name]}/orders/v0/orders?a=b", f"{SANDBOX[name]}/x", AMAZON[name], f"{AMAZON[name]}?a="):
        assert await signing.sign("a", request(url)) == (("authorization", "AWS4"),)
        assert recorder.signed[-1] == (url, region)
    assert recorder.assumed == [Session("sellergate-a", 3600)], "all requests share one call of STS"
    for other in HOSTS.keys() - {name}:
        with pytest.raises(InvalidRequest):
            await signing.sign("a", request(f"{AMAZON[other]}/orders"))


HOST = HOSTS["NA"]


@pytest.mark.parametrize(
    "url",
    [
        "https://sts.amazonaws.com/",
        "https://abc123.execute-api.us-east-1.amazonaws.com/prod",
        f"http://{HOST}/",
        f"https://{HOST}.evil.test/",
        f"https://{HOST}@evil.test/",
        f"https://user:word@{HOST}/",
        f"https://{HOST}:8443/",
        f"https://{HOST}:443/",
        f"https://{HOST}\\@evil.test/",
        f"https://{HOST}#@evil.test/",
        f"https://{HOST}%2eevil.test/",
        f"https://{HOST}./",
        f"https://{HOST.upper()}/",
        f"HTTPS://{HOST}/",
        f"https:/{HOST}/",
        f"https:///{HOST}/",
        f"//{HOST}/",
        f" https://{HOST}/",
        HOST,
        "/orders/v0/orders",
        "https://evil.test/?https://" + HOST,
    ],
)
async def test_only_requests_to_sp_api_are_signed(url: str) -> None:
    recorder = Recorder("US")
    with pytest.raises(InvalidRequest) as caught:
        await signatures(recorder).sign("a", request(url))
    assert [violation.field for violation in caught.value.violations] == ["url"]
    assert f"https://{HOST}, https://sandbox.{HOST}" in caught.value.message
    assert not recorder.assumed
    assert not recorder.signed


@pytest.mark.parametrize(
    "rest",
    [
        "//orders",
        "/a/../b",
        "/a/./b",
        "/..",
        "/a/%2e%2E/b",
        "/a/..%2fb",
        "/a/..%5Cb",
        "/a b",
        "/a%",
        "/a%2",
        "/a%zz",
        "/ä",
        "/a%0d%0ax",
        "/a%00",
        "/a#b",
        "/a?b#c",
        "/a?b=c d",
        "/a?b=%",
        "/a?ä=1",
        "/a?b=[1]",
    ],
)
async def test_an_ambiguous_url_is_refused(rest: str) -> None:
    recorder = Recorder("US")
    with pytest.raises(InvalidRequest) as caught:
        await signatures(recorder).sign("a", request(f"https://{HOST}{rest}"))
    assert [violation.field for violation in caught.value.violations] == ["url"]
    assert not recorder.assumed


async def test_requests_to_a_configured_endpoint_are_signed() -> None:
    recorder = Recorder("US")
    signing = signatures(recorder, production={**AMAZON, "NA": "http://127.0.0.1:3901/amazon/"})
    for url in ("http://127.0.0.1:3901/amazon/orders", "http://127.0.0.1:3901/amazon", f"https://{HOST}/orders"):
        await signing.sign("a", request(url))
    for url in ("http://127.0.0.1:3901/", "http://127.0.0.1:3901/amazonian", "http://127.0.0.1:39010/amazon/"):
        with pytest.raises(InvalidRequest):
            await signing.sign("a", request(url))


@pytest.mark.parametrize(
    "name", ["Host", "host", "AUTHORIZATION", "Date", "X-Amz-Date", "x-amz-security-token", "X-Amz-Content-Sha256"]
)
async def test_headers_of_the_signature_are_refused(name: str) -> None:
    recorder = Recorder("US")
    with pytest.raises(InvalidRequest) as caught:
        await signatures(recorder).sign("a", request(f"https://{HOST}/", ("accept", "x"), (name, "sts.amazonaws.com")))
    assert [violation.field for violation in caught.value.violations] == ["headers[1].name"]
    assert not recorder.signed


async def test_disallowed_roles_and_unknown_marketplaces_sign_nothing() -> None:
    recorder = Recorder("US")
    with pytest.raises(NotAllowed):
        await signatures(recorder, ("arn:aws:iam::*:role/other",)).sign("a", request(f"https://{HOST}/"))
    with pytest.raises(InvalidRequest, match="unknown marketplace"):
        await signatures(Recorder("XX")).sign("a", request(f"https://{HOST}/"))
    assert not recorder.assumed


def test_a_request_shows_no_header_in_its_repr() -> None:
    shown = repr(request(f"https://{HOST}/", ("x-amz-access-token", "Atza|secret")))
    assert shown == "UnsignedRequest(GET)"
