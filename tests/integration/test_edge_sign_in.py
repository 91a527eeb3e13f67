"""Sign-in to the console at a real OpenID Connect provider, with callbacks of attackers."""

import asyncio
import base64
import hashlib
import json
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import jwt
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from sellergate_common.crypto.sealing import KeyRing
from sellergate_devstack.processes.ports import LOOPBACK, free_ports
from sellergate_edge.app import Options, make_app
from sellergate_edge.authn.jwks import JwksKeys
from sellergate_edge.authn.jwks_publisher import Publisher
from sellergate_edge.authn.jwt import JwtAuthenticator
from sellergate_edge.dependencies import Dependencies
from sellergate_edge.dropin.tokens import DropInTokens
from sellergate_edge.limits.guesses import Guesses
from sellergate_edge.limits.limiter import Limits, Rate
from sellergate_edge.limits.redis import OwnCounts
from sellergate_edge.sign_in.id_tokens import SignedIdTokens
from sellergate_edge.sign_in.provider import AiohttpProvider
from sellergate_edge.sign_in.sign_in import TICKET_SECONDS, Client, SignIn

RING = f"k1 {base64.urlsafe_b64encode(bytes(64)).decode()}"
CLIENT, SECRET = "console", "a secret: of the provider's"
BACK = "http://localhost:3001/console/signed-in"


@pytest.fixture(scope="module")
async def issuer() -> AsyncIterator[str]:
    """A provider as a process of its own; it signs in every user that is named."""
    (port,) = free_ports(1)
    command = ["-W", "ignore", "-m", "oidc_provider_mock", "-p", str(port), "-H", LOOPBACK, "-n", "true"]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    url = f"http://{LOOPBACK}:{port}"
    try:
        async with asyncio.timeout(50):
            while not _listens(port):  # noqa: ASYNC110  (another process)
                await asyncio.sleep(0.1)
        yield url
    finally:
        process.terminate()
        await process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((LOOPBACK, port)) == 0


@dataclass
class Console:
    """An edge with sign-in, and its browsers."""

    app: FastAPI
    issuer: str
    seconds_later: float = 0.0

    async def request(self, method: str, path: str, **given: Any) -> httpx.Response:
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://edge") as client:
            return await client.request(method, path, **given)

    async def begin(self) -> dict[str, str]:
        response = await self.request("POST", "/api/sign-in/begin")
        assert response.status_code == 200, response.text
        return dict(response.json())

    async def consent(self, begun: dict[str, str], user: str = "u1") -> dict[str, str]:
        """Sign in at the provider; return the parameters of its redirect, with the ticket."""
        async with httpx.AsyncClient(trust_env=False, timeout=20) as browser:
            response = await browser.post(begun["url"], data={"sub": user})
        location = urlsplit(response.headers["location"])
        assert location._replace(query="").geturl() == BACK
        return {"ticket": begun["ticket"], **dict(parse_qsl(location.query))}

    async def complete(self, **back: str) -> tuple[int, Any]:
        response = await self.request("POST", "/api/sign-in/complete", json=back)
        return response.status_code, response.json()

    async def refused_field(self, **back: str) -> str:
        status, problem = await self.complete(**back)
        assert status == 400, problem
        return str(problem["violations"][0]["field"])


@asynccontextmanager
async def console_of(issuer: str, secret: str | None = SECRET) -> AsyncIterator[Console]:
    keys = JwksKeys(Publisher(f"{issuer}/jwks"), time.monotonic)
    authenticator = JwtAuthenticator(keys, CLIENT, issuer, time.time)
    counts, ring = OwnCounts(time.monotonic), KeyRing.parse(RING)
    client = Client(CLIENT, issuer, "openid", BACK, "http://localhost:3001/", uses_access_token=False)
    held = SecretStr(secret) if secret else None
    provider = AiohttpProvider(issuer, CLIENT, held, BACK, time.monotonic)
    numbers = iter(range(10**6))
    console = Console(None, issuer)  # type: ignore[arg-type]
    sign_in = SignIn(
        client,
        provider,
        SignedIdTokens(keys, CLIENT, issuer, time.time),
        authenticator,
        ring,
        lambda: time.time() + console.seconds_later,
        lambda: hashlib.sha256(str(next(numbers)).encode()).hexdigest(),
    )
    limits, guesses = Limits(counts, Rate(1000, 1000), time.monotonic), Guesses(counts, time.monotonic)
    dependencies = Dependencies(
        authenticator, None, None, None, limits, guesses, DropInTokens(RING, time.time), sign_in=sign_in
    )  # type: ignore[arg-type]
    console.app = make_app(dependencies, Options())
    yield console


@pytest.fixture
async def console(issuer: str) -> AsyncIterator[Console]:
    async with console_of(issuer) as made:
        yield made


async def test_a_user_signs_in_and_the_rest_api_accepts_the_token(issuer: str) -> None:
    """This is the confidential client; tests/system has the public one."""
    async with console_of(issuer) as console:
        begun = await console.begin()
        query = dict(parse_qsl(urlsplit(begun["url"]).query))
        assert query["code_challenge_method"] == "S256"
        assert len(query["code_challenge"]) == 43
        assert (query["state"], query["redirect_uri"], query["scope"]) == (begun["state"], BACK, "openid")
        assert query["nonce"] not in begun["ticket"]
        status, session = await console.complete(**await console.consent(begun, "jürgen"))
        assert status == 200, session
        claims = jwt.decode(session["token"], options={"verify_signature": False})
        assert (claims["sub"], claims["nonce"]) == ("jürgen", query["nonce"])
        dependencies: Dependencies = console.app.state.dependencies
        bearer = {"authorization": f"Bearer {session['token']}"}
        assert await dependencies.authenticator.authenticate(bearer) == "jürgen"
        end = urlsplit(session["endSessionUrl"])
        assert end.netloc == urlsplit(issuer).netloc
        assert dict(parse_qsl(end.query))["post_logout_redirect_uri"] == "http://localhost:3001/"


async def test_the_callback_of_another_tab_or_user_is_refused(console: Console) -> None:
    mine, other = await console.begin(), await console.begin()
    others = await console.consent(other, "attacker")
    # The link carries the attacker's code; the victim's tab has its own ticket, or none.
    assert await console.refused_field(**{**others, "ticket": mine["ticket"]}) == "state"
    crossed = {**others, "ticket": mine["ticket"], "state": mine["state"]}
    assert (await console.complete(**crossed))[0] in (400, 401)
    for ticket in ("", "x", mine["ticket"][:-4] + "AAAA", KeyRing.parse(RING).seal("{}", "elsewhere")):
        assert await console.refused_field(**{**others, "ticket": ticket}) == "ticket"
    # Both tabs continue, each with its own ticket.
    assert (await console.complete(**await console.consent(mine)))[0] == 200
    assert (await console.complete(**await console.consent(other)))[0] == 200


async def test_a_code_is_valid_once_in_time_and_from_this_provider(console: Console) -> None:
    back = await console.consent(await console.begin())
    assert await console.refused_field(**{**back, "iss": "https://other.example"}) == "iss"
    assert (await console.complete(**back, **({} if "iss" in back else {"iss": console.issuer})))[0] == 200
    assert await console.refused_field(**back) == "code"
    assert await console.refused_field(**{**back, "code": "made-up"}) == "code"
    late = await console.consent(await console.begin())
    console.seconds_later = TICKET_SECONDS
    assert await console.refused_field(**late) == "ticket"


async def test_the_edge_sends_no_cookie_and_no_secret(console: Console) -> None:
    begun = await console.begin()
    back = await console.consent(begun)
    response = await console.request("POST", "/api/sign-in/complete", json=back)
    assert "set-cookie" not in response.headers
    assert response.headers["cache-control"] == "no-store"
    assert SECRET not in json.dumps(begun) + response.text
    # A form of another site cannot send the type of body that the edge reads here.
    forms = {"content": json.dumps(back), "headers": {"content-type": "text/plain"}}
    assert (await console.request("POST", "/api/sign-in/complete", **forms)).status_code == 400
    assert (await console.request("GET", "/api/sign-in")).json() == {"provider": True}
    assert (
        (await console.request("GET", "/console/signed-in?code=x&state=y"))
        .headers["content-type"]
        .startswith("text/html")
    )


async def test_a_provider_that_is_down_is_unavailable() -> None:
    (port,) = free_ports(1)
    async with console_of(f"http://{LOOPBACK}:{port}") as console:
        response = await console.request("POST", "/api/sign-in/begin")
        assert (response.status_code, response.json()["reason"]) == (503, "DEPENDENCY_UNAVAILABLE")
