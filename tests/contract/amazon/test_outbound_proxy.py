"""The outbound proxy: every client of Amazon and of identity providers uses the configured one, and no other."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
from pydantic import SecretStr
from sellergate_account.secrets.kms import Kms
from sellergate_common.clock import SYSTEM_CLOCK
from sellergate_common.outbound.route import Route
from sellergate_common.outbound.settings import OutboundSettings
from sellergate_edge.authn.jwks_publisher import Publisher
from sellergate_edge.sign_in.provider import AiohttpProvider
from sellergate_gateway.documents.aiohttp_store import open_documents
from sellergate_gateway.spapi.aiohttp_transport import open_amazon
from sellergate_gateway.spapi.http import AmazonRequest
from sellergate_iam.boto_chain import BotoChain
from sellergate_token.lwa.aiohttp_transport import open_lwa
from sellergate_token.ports import Scope
from sellergate_token.rotation.sqs_queue import SqsQueue

from tests.contract.amazon.kms_server import ACCESS

SECRET = SecretStr("s")


@dataclass
class Proxy:
    """A proxy that records the requested targets and refuses to connect."""

    url: str
    targets: list[str] = field(default_factory=list)
    credentials: set[str] = field(default_factory=set)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        self.targets.append(head.split("\r\n", 1)[0].removesuffix(" HTTP/1.1").removesuffix(" HTTP/1.0"))
        self.credentials |= {
            line.partition(": ")[2] for line in head.split("\r\n") if line.lower().startswith("proxy-authorization")
        }
        writer.write(b"HTTP/1.1 502 Refused\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()


@pytest.fixture
async def proxy() -> AsyncIterator[Proxy]:
    proxy = Proxy("")
    server = await asyncio.start_server(proxy.handle, "127.0.0.1", 0)
    proxy.url = f"http://user:password@127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield proxy


async def lwa(route: Route) -> None:
    async with open_lwa("https://lwa.amazon.test/token", SYSTEM_CLOCK, lambda: 0.0, route) as client:
        await client.exchange(SECRET, SECRET, Scope("sellingpartnerapi::notifications"))


async def sp_api(route: Route) -> None:
    async with open_amazon(route) as amazon:
        await amazon.send(AmazonRequest("GET", "https://spapi.amazon.test/x", (), b"", "x"), 20.0)


async def documents(route: Route) -> None:
    async with open_documents(["*.amazon.test"], route) as store, store.get("https://s3.amazon.test/x", ()):
        pass


async def sts(route: Route) -> None:
    client = BotoChain("us-east-1", route).client("us-east-1")
    await asyncio.to_thread(client.assume_role, RoleArn="arn:aws:iam::123456789012:role/x", RoleSessionName="x")


async def sqs(route: Route) -> None:
    url = "https://sqs.amazon.test/1/q"
    await SqsQueue(url, "us-east-1", visibility_seconds=1, wait_seconds=0, route=route).receive()


async def kms(route: Route) -> None:
    await asyncio.to_thread(Kms("us-east-1", route).decrypt, "kms:AAAA", {}, "key k1")


async def jwks(route: Route) -> None:
    await Publisher("https://jwks.identity.test/keys", route=route).fetch()


async def oidc(route: Route) -> None:
    provider = AiohttpProvider("https://oidc.identity.test", "c", None, "https://x.test", lambda: 0.0, route)
    await provider.metadata()


CLIENTS: dict[str, Callable[[Route], Awaitable[None]]] = {
    "lwa.amazon.test": lwa,
    "spapi.amazon.test": sp_api,
    "s3.amazon.test": documents,
    "sts.amazon.test": sts,
    "sqs.amazon.test": sqs,
    "kms.amazon.test": kms,
    "jwks.identity.test": jwks,
    "oidc.identity.test": oidc,
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ACCESS.items():
        monkeypatch.setenv(name, value)
    for service in ("STS", "SQS", "KMS"):
        monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", f"https://{service.lower()}.amazon.test")
    # A client that reads the environment itself reaches nothing.
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")


@pytest.mark.parametrize("host", CLIENTS)
async def test_a_client_goes_through_the_proxy_of_the_settings(
    proxy: Proxy, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SELLERGATE_OUTBOUND_PROXY", proxy.url)
    with suppress(Exception):
        await CLIENTS[host](OutboundSettings().outbound)
    assert set(proxy.targets) == {f"CONNECT {host}:443"}
    assert proxy.credentials == {"Basic dXNlcjpwYXNzd29yZA=="}


@pytest.mark.parametrize("host", CLIENTS)
async def test_a_client_reaches_an_excepted_host_directly(
    proxy: Proxy, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SELLERGATE_OUTBOUND_PROXY", proxy.url)
    monkeypatch.setenv("SELLERGATE_OUTBOUND_NO_PROXY", "amazon.test, .identity.test:443")
    with suppress(Exception):
        await CLIENTS[host](OutboundSettings().outbound)
    assert proxy.targets == []
