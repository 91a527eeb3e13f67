"""Requests as the SDKs for Java, C# and PHP write them, byte for byte: the edge responds as Amazon does.

The shapes are those of okhttp (Java), RestSharp (C#) and Guzzle (PHP) with Amazon's SDKs, and of the old SDKs, which sign too.
"""

import asyncio
import json
from typing import Any, Self
from urllib.parse import urlencode, urlsplit

import pytest

from tests.e2e.conftest import Rest
from tests.e2e.dropin import TOKEN, DropIn
from tests.e2e.sellers import Seller

NOTIFICATIONS, ROTATION = "sellingpartnerapi::notifications", "sellingpartnerapi::client_credential:rotation"
SELLERS, DESTINATIONS = "/sellers/v1/marketplaceParticipations", "/notifications/v1/destinations"
FEED_DOCUMENTS = "/feeds/2021-06-30/documents"
OKHTTP = ("User-Agent: okhttp/4.12.0", "Accept-Encoding: gzip", "Connection: Keep-Alive")
RESTSHARP = (
    "User-Agent: RestSharp/112.0.0.0",
    "Accept: application/json, text/json",
    "Accept-Encoding: gzip, deflate, br",
)
GUZZLE = ("User-Agent: GuzzleHttp/7",)
SIGNED = (
    "Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261126/us-east-1/execute-api/aws4_request,"
    " SignedHeaders=host;x-amz-access-token;x-amz-date, Signature=" + "0" * 64,
    "X-Amz-Date: 20261126T000000Z",
    "X-Amz-Security-Token: FwoGZXIvYXdzEXAMPLE",
)
# Headers that differ in each response, and those that only describe the connection.
OWN = frozenset({"date", "server", "x-amzn-requestid", "content-length", "connection"})

Reply = tuple[int, dict[str, str], bytes]


class Connection:
    """One connection of HTTP/1.1, which is kept and used again."""

    def __init__(self, url: str, *, is_edge: bool) -> None:
        self._is_edge = is_edge
        self._parts = urlsplit(url.replace("localhost", "127.0.0.1"))

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection(self._parts.hostname, self._parts.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()

    async def send(self, line: str, *headers: str, body: bytes | None = None, expects: bool = False) -> Reply:
        """Send a request; return status, headers and body of the response.

        With `expects`, the edge gets the body only after 100 Continue; the simulator sends none, and clients go on without it.
        """
        length = () if body is None else (f"Content-Length: {len(body)}",)
        expect = ("Expect: 100-continue",) if expects else ()
        head = "\r\n".join((f"{line} HTTP/1.1", f"Host: {self._parts.netloc}", *headers, *length, *expect, "", ""))
        self._writer.write(head.encode("latin-1"))
        if expects and self._is_edge:
            status, _ = await self._head()
            assert status == 100
        self._writer.write(body or b"")
        status, found = await self._head()
        return status, found, await self._reader.readexactly(int(found.get("content-length", "0")))

    async def _head(self) -> tuple[int, dict[str, str]]:
        async with asyncio.timeout(30):
            lines = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        pairs = (line.partition(": ") for line in lines[1:] if line)
        return int(lines[0].split()[1]), {name.lower(): value for name, _, value in pairs}


def bodies(given: dict[str, str | None]) -> list[tuple[str, tuple[str, ...], bytes, bool]]:
    """Return the exchange of each SDK: its name, headers, body, and whether it expects 100 Continue."""
    present = {name: value for name, value in given.items() if value is not None}
    java = {"scope": "", **present}  # Gson leaves out what is null; the scopes of a seller are an empty set
    null = {"refresh_token": None, "scope": None, **given}
    form = urlencode(present).encode()
    return [
        ("java", ("Content-Type: application/json; charset=utf-8", *OKHTTP), json.dumps(java).encode(), False),
        ("csharp", ("Content-Type: application/json", *RESTSHARP), json.dumps(null).encode(), True),
        ("php", ("Content-Type: application/json", *GUZZLE), json.dumps(null, separators=(",", ":")).encode(), False),
        ("form", ("Content-Type: application/x-www-form-urlencoded;charset=UTF-8", *OKHTTP), form, False),
        ("form in capitals", ("content-type: Application/X-WWW-Form-URLEncoded", *GUZZLE), form, True),
    ]


@pytest.fixture
async def sdk(rest: Rest, seller: Seller, fast: None) -> DropIn:
    user = f"recorded-{seller.seller_id}"
    return await DropIn.made(rest, user, await rest.connect(seller, user))


async def token_of(login: str, given: dict[str, str | None], name: str, *, is_edge: bool) -> str:
    """Return the token that one SDK's exchange gets."""
    headers, body, expects = next(rest for sdk, *rest in bodies(given) if sdk == name)  # type: ignore[misc]
    async with Connection(login, is_edge=is_edge) as connection:
        status, found, content = await connection.send(f"POST {TOKEN}", *headers, body=body, expects=expects)
    document: dict[str, Any] = json.loads(content)
    assert (status, document["token_type"], document["expires_in"]) == (200, "bearer", 3600), (name, document)
    assert (found["content-type"], found["cache-control"]) == ("application/json", "no-store")
    return str(document["access_token"])


@pytest.mark.parametrize("name", [name for name, *_ in bodies({})])
async def test_each_sdks_exchanges_get_what_they_get_of_amazon(
    rest: Rest, sdk: DropIn, seller: Seller, name: str
) -> None:
    amazon = urlsplit(rest.suite.simulator or "")
    sites = (
        (rest.suite.edge, rest.suite.edge, (sdk.client_id, sdk.client_secret, sdk.handle)),
        (
            amazon.geturl(),
            f"http://127.0.0.1:{(amazon.port or 0) + 1}",
            (seller.client_id, seller.client_secret, seller.refresh_token),
        ),
    )
    seen = []
    for login, endpoint, (client_id, secret, refresh) in sites:
        own, is_edge = {"client_id": client_id, "client_secret": secret}, login == rest.suite.edge
        token = await token_of(
            login, {"grant_type": "refresh_token", "refresh_token": refresh, **own}, name, is_edge=is_edge
        )
        both = await token_of(
            login,
            {"grant_type": "client_credentials", "scope": f"{NOTIFICATIONS} {ROTATION}", **own},
            name,
            is_edge=is_edge,
        )
        async with Connection(endpoint, is_edge=is_edge) as connection:
            seen.append(
                [
                    (await connection.send(f"GET {SELLERS}", f"x-amz-access-token: {token}"))[0],
                    (await connection.send(f"GET {DESTINATIONS}", f"x-amz-access-token: {both}"))[0],
                    (await connection.send(f"GET {SELLERS}", f"x-amz-access-token: {both}"))[0],
                    (await connection.send(f"GET {DESTINATIONS}", f"x-amz-access-token: {token}"))[0],
                ]
            )
    assert seen == [[200, 200, 403, 403]] * 2


async def test_calls_get_what_they_get_of_amazon(rest: Rest, sdk: DropIn, seller: Seller) -> None:
    amazon = urlsplit(rest.suite.simulator or "")
    direct = DropIn(amazon.geturl(), seller.client_id, seller.client_secret, seller.refresh_token)
    document = b'{"contentType": "text/tab-separated-values; charset=UTF-8"}'
    reads = ("Accept: application/json", "x-amz-user-agent: aws-sdk-java/1", "x-amz-date: 20261126T000000Z")
    seen: list[list[Reply]] = []
    for site, endpoint in ((sdk, rest.suite.edge), (direct, f"http://127.0.0.1:{(amazon.port or 0) + 1}")):
        given = {"grant_type": "refresh_token", "refresh_token": site.handle}
        given |= {"client_id": site.client_id, "client_secret": site.client_secret}
        access = f"x-amz-access-token: {await token_of(site.url, dict(given), 'java', is_edge=site is sdk)}"
        # The simulator checks signatures, and the edge, whose gateway signs itself, needs none.
        signed = SIGNED if site is sdk else ()
        async with Connection(endpoint, is_edge=site is sdk) as one:
            seen.append(
                [
                    await one.send(f"GET {SELLERS}", access, *OKHTTP, *reads),
                    await one.send(
                        f"GET {SELLERS}",
                        access.replace("x-amz-access-token", "X-Amz-Access-Token"),
                        *RESTSHARP,
                        *signed,
                        "X-Amz-User-Agent: x",
                    ),
                    await one.send(f"GET {SELLERS}", access, *GUZZLE, "Content-Type: application/json"),
                    await one.send(f"GET {SELLERS}", "x-amz-access-token: Atza|made-up", *OKHTTP),
                    await one.send(f"GET {SELLERS}", *OKHTTP),
                    await one.send("GET /orders/v0/orders?MarketplaceIds=ATVPDKIKX0DER", access, *OKHTTP),
                    *[
                        await one.send(f"POST {path}", access, *headers, body=body, expects=expects)
                        for path, body in ((FEED_DOCUMENTS, document), (FEED_DOCUMENTS, b"{"), (FEED_DOCUMENTS, b""))
                        for headers, expects in (
                            (("Content-Type: application/json; charset=utf-8", *OKHTTP), False),
                            (("Content-Type: application/json", *RESTSHARP, *signed), True),
                            (("Content-Type: application/json;charset=UTF-8", *GUZZLE), False),
                        )
                        if body or not expects  # no client expects 100 Continue for a body of no bytes
                    ],
                ]
            )
    for own, amazons in zip(*seen, strict=True):
        assert own[0] == amazons[0]
        assert {name: value for name, value in own[1].items() if name in amazons[1] and name not in OWN} == {
            name: value for name, value in amazons[1].items() if name not in OWN
        }
        if b"feedDocumentId" in own[2]:  # each has its own id and address
            assert json.loads(own[2]).keys() == json.loads(amazons[2]).keys()
        elif own[0] == 403:  # written by the edge
            assert json.loads(own[2]) == json.loads(amazons[2])
        else:
            assert own[2] == amazons[2]
