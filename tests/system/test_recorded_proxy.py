"""Real processes behind a proxy: every request to Amazon and the identity provider passes it, and no internal connection does."""

import json
import os
import time
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import httpx
import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm
from sellergate_client import Sellergate
from sellergate_devstack.certificates import Authority
from sellergate_devstack.processes.ports import LOOPBACK, free_ports
from sellergate_devstack.settings import DevstackSettings
from sellergate_devstack.state import State
from sellergate_devstack.suite import Suite, running_suite

from tests.e2e.conftest import ephemeral_ports
from tests.e2e.sellers import Seller
from tests.system.recording_proxy import recording_proxy

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
# Names of RFC 6761 resolve nowhere: a request that does not go through the proxy reaches no server.
LWA, STS, DOCUMENTS = "lwa.amazon.test", "sts.amazon.test", "documents.amazon.test"
SPAPI, KEYS = "spapi.amazon.test", "keys.identity.test"

ADDRESSES = {
    "SELLERGATE_LWA_TOKEN_URL": f"https://{LWA}/auth/o2/token",
    "SELLERGATE_SPAPI_ENDPOINT_NA": f"https://{SPAPI}",
    "SELLERGATE_SIMULATOR_DOCUMENTS_URL": f"https://{DOCUMENTS}",
    "SELLERGATE_DOCUMENT_HOSTS": "*.amazon.test",
    "SELLERGATE_JWKS_URL": f"https://{KEYS}/keys",
    "AWS_ENDPOINT_URL_STS": f"https://{STS}",
    "AWS_REGION": "us-east-1",
}


@pytest.fixture
async def keys_port() -> AsyncIterator[int]:
    """Serve the keys of an identity provider; return the port."""
    key = {**json.loads(RSAAlgorithm.to_jwk(KEY.public_key())), "kid": "k", "use": "sig"}

    async def respond(_: web.Request) -> web.Response:
        return web.json_response({"keys": [key]})

    app = web.Application()
    app.router.add_get("/keys", respond)
    runner = web.AppRunner(app)
    await runner.setup()
    (port,) = free_ports(1)
    await web.TCPSite(runner, LOOPBACK, port).start()
    yield port
    await runner.cleanup()


def replace_proxies(patch: pytest.MonkeyPatch, url: str, names: Iterable[str]) -> None:
    """Set the variables of proxies with these names, and no others."""
    for name in [name for name in os.environ if name.upper().endswith("_PROXY")]:
        patch.delenv(name)
    for name in names:
        patch.setenv(name, url)


async def use(suite: Suite, seller: Seller, user_token: str) -> None:
    """Connect a seller, read orders, download a report and submit a feed."""
    headers = {"Authorization": f"Bearer {user_token}"}
    async with httpx.AsyncClient(base_url=suite.edge, headers=headers, timeout=60, trust_env=False) as edge:
        connected = await edge.post("/api/amazon/accounts", json=seller.connection())
        assert connected.status_code == 201, connected.text
        account_id = connected.json()["id"]
        query = {"amazonAccountId": account_id, "marketplaceId": seller.marketplace_id}
        orders = await edge.get("/api/amazon/test/orders", params=query)
        assert orders.json().get("orders"), orders.text
    identity = suite.identity("client/demo")
    async with Sellergate.connect(suite.target("gateway"), suite.target("account"), identity) as client:
        assert await client.documents.report(account_id, "GET_MERCHANT_LISTINGS_ALL_DATA").read()
        content_type = "application/json; charset=UTF-8"
        assert await client.feeds.submit(account_id, "JSON_LISTINGS_FEED", b'{"messages": []}', content_type)


@pytest.mark.parametrize(
    "names",
    [
        # As in a shell behind a proxy. gRPC reads the lower case.
        ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "https_proxy", "http_proxy", "all_proxy", "grpc_proxy"),
        ("SELLERGATE_OUTBOUND_PROXY",),
    ],
    ids=["environment", "settings"],
)
async def test_requests_to_amazon_and_identity_providers_pass_the_proxy_and_nothing_else_does(
    tmp_path: Path, keys_port: int, postgres_url: str, monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...]
) -> None:
    ports, authority = ephemeral_ports(), Authority(tmp_path / "internet")
    port = ports["simulator_port"]
    servers = {LWA: port, STS: port, DOCUMENTS: port, SPAPI: port + 1, KEYS: keys_port}
    async with recording_proxy(authority, servers) as proxy:
        replace_proxies(monkeypatch, proxy.url, names)
        # The whole list of hosts that are reached directly; it has no loopback, so internal connections do not depend on it.
        monkeypatch.setenv("SELLERGATE_OUTBOUND_NO_PROXY", "direct.test")
        monkeypatch.setenv("SELLERGATE_OUTBOUND_CA_BUNDLE", str(authority.certificate_file))
        monkeypatch.setenv("DATABASE_URL", postgres_url)
        for name, value in ADDRESSES.items():
            monkeypatch.setenv(name, value)
        settings = DevstackSettings(state_dir=tmp_path / "state", log_level="debug", simulator="on", **ports)
        demo = State(settings.folder).demo(settings)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", demo.aws_access_key_id)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", demo.aws_secret_access_key.get_secret_value())
        async with running_suite(settings, lambda _: None) as suite:
            async with httpx.AsyncClient(base_url=suite.simulator or "", timeout=20, trust_env=False) as control:
                seller = await Seller.seeded(control)
            claims = {"sub": "u1", "aud": settings.jwt_audience, "iss": settings.jwt_issuer, "exp": time.time() + 3600}
            await use(suite, seller, jwt.encode(claims, KEY, "RS256", {"kid": "k"}))
    assert set(proxy.requests) == {f"CONNECT {host}:443" for host in (LWA, STS, DOCUMENTS, SPAPI, KEYS)}
