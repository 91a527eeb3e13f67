"""Published signing keys: fetched when needed, rarely for unknown key ids, and kept while their publisher is unavailable."""

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from sellergate_common.errors import Unauthenticated, Unavailable
from sellergate_devstack.processes.ports import LOOPBACK, free_ports
from sellergate_edge.authn.jwks import (
    LIFE_SECONDS,
    LONGEST_PAUSE_SECONDS,
    REFETCH_SECONDS,
    RENEW_SECONDS,
    JwksKeys,
)
from sellergate_edge.authn.jwks_publisher import MOST_BYTES, Publisher
from sellergate_edge.authn.jwt import JwtAuthenticator

pytestmark = pytest.mark.usefixtures("loop_watchdog")
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())


@dataclass
class Provider:
    """An identity provider. `mode` determines its response in place of its keys."""

    url: str = ""
    fetched: int = 0
    sent: int = 0
    runner: web.AppRunner | None = None
    down: bool = False
    mode: str = ""
    queries: list[str] = field(default_factory=list)
    keys: list[dict[str, Any]] = field(default_factory=list)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    async def respond(self, request: web.Request) -> web.StreamResponse:
        self.fetched += 1
        self.queries.append(request.query_string)
        if self.down:
            return web.Response(status=503)
        match self.mode:
            case "hang":
                await self.released.wait()
            case "drip":
                return await self._drip(request)
            case "flood":
                return await self._flood(request)
            case "html":
                return web.Response(text="<html>Sorry</html>", content_type="text/html")
            case "cut":
                return web.Response(text='{"keys": [', content_type="application/json")
            case "list":
                return web.json_response([])
            case "odd":
                return web.json_response({"keys": [7, None, "x"]})
            case "empty":
                return web.json_response({"keys": []})
        return web.json_response({"keys": self.keys})

    async def _flood(self, request: web.Request) -> web.StreamResponse:
        """Send without an end, as fast as the edge reads."""
        response = web.StreamResponse()
        await response.prepare(request)
        with suppress(ConnectionError):
            while not self.released.is_set():
                await response.write(b" " * MOST_BYTES)
                self.sent += MOST_BYTES
        return response

    async def _drip(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        with suppress(ConnectionError):
            while not self.released.is_set():
                await response.write(b" ")
                await asyncio.sleep(0.05)
        return response


@pytest.fixture
async def publisher() -> AsyncIterator[Provider]:
    published = Provider()
    for kid, algorithm, key in (("r", RSAAlgorithm, RSA_KEY.public_key()), ("e", ECAlgorithm, EC_KEY.public_key())):
        published.keys.append({**json.loads(algorithm.to_jwk(key)), "kid": kid, "use": "sig"})  # type: ignore[attr-defined]
    app = web.Application()
    app.router.add_get("/jwks", published.respond)
    runner = web.AppRunner(app, handler_cancellation=True)
    await runner.setup()
    published.runner = runner
    (port,) = free_ports(1)
    await web.TCPSite(runner, LOOPBACK, port).start()
    published.url = f"http://{LOOPBACK}:{port}/jwks"
    yield published
    published.released.set()
    await runner.cleanup()


def bearer(key: Any, algorithm: str, kid: str | None) -> dict[str, str]:
    claims = {"sub": "u1", "aud": "sellergate", "iss": "https://issuer", "exp": int(time.time()) + 600}
    token = jwt.encode(claims, key, algorithm, {"kid": kid} if kid else None)
    return {"authorization": f"Bearer {token}"}


def authenticator(publisher: Provider) -> JwtAuthenticator:
    return JwtAuthenticator(
        JwksKeys(Publisher(publisher.url), time.monotonic), "sellergate", "https://issuer", time.time
    )


async def test_published_keys_are_accepted_and_fetched_once(publisher: Provider) -> None:
    checks = authenticator(publisher)
    for _ in range(3):
        assert await checks.authenticate(bearer(RSA_KEY, "RS256", "r")) == "u1"
        assert await checks.authenticate(bearer(EC_KEY, "ES256", "e")) == "u1"
    assert publisher.fetched == 1


async def test_unknown_key_ids_do_not_cause_fetches(publisher: Provider) -> None:
    checks = authenticator(publisher)
    await checks.authenticate(bearer(RSA_KEY, "RS256", "r"))
    for number in range(20):
        with pytest.raises(Unauthenticated):
            await checks.authenticate(bearer(RSA_KEY, "RS256", f"stranger-{number}"))
    assert publisher.fetched == 1


async def test_invalid_tokens_are_refused(publisher: Provider) -> None:
    checks = authenticator(publisher)
    public = RSA_KEY.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )

    header = bearer(b"x" * 32, "HS256", "r")["authorization"].removeprefix("Bearer ").rpartition(".")[0]
    mac = jwt.utils.base64url_encode(hmac.digest(public, header.encode(), hashlib.sha256)).decode()
    confused = {"authorization": f"Bearer {header}.{mac}"}  # HS256 with the public key as its secret
    others = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    for refused in (
        confused,
        bearer(others, "RS256", "r"),
        bearer(RSA_KEY, "RS256", None),
        bearer(EC_KEY, "ES256", "r"),
    ):
        with pytest.raises(Unauthenticated):
            await checks.authenticate(refused)


async def test_a_publisher_that_is_unavailable_at_first_is_reported_and_tried_again(publisher: Provider) -> None:
    checks, publisher.down = authenticator(publisher), True
    with pytest.raises(Unavailable):
        await checks.authenticate(bearer(RSA_KEY, "RS256", "r"))
    publisher.down = False
    assert await checks.authenticate(bearer(RSA_KEY, "RS256", "r")) == "u1"


class Later:
    """A monotonic clock that a test can advance."""

    def __init__(self) -> None:
        self.passed = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.passed


def keys_of(publisher: Provider, seconds: float = 5.0) -> tuple[JwksKeys, JwtAuthenticator, Later]:
    clock = Later()
    keys = JwksKeys(Publisher(publisher.url, seconds), clock)
    # The wall clock advances, so that an accepted token is checked again.
    ticks = iter(range(0, 10**9, 20))
    return (
        keys,
        JwtAuthenticator(keys, "sellergate", "https://issuer", lambda: time.time() - 10**9 + next(ticks)),
        clock,
    )


async def none_is_left(publisher: Provider) -> None:
    """Wait until the edge has closed every connection of its fetches."""
    for _ in range(500):
        if publisher.runner is None or not publisher.runner.server or not publisher.runner.server.connections:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("a connection stays open")


async def settled(publisher: Provider, fetched: int) -> None:
    for _ in range(500):
        if publisher.fetched >= fetched:
            break
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)


BROKEN = ("html", "cut", "list", "odd", "empty")


@pytest.mark.parametrize("mode", BROKEN)
async def test_a_response_without_keys_is_an_outage_of_the_publisher(publisher: Provider, mode: str) -> None:
    keys, checks, _ = keys_of(publisher)
    publisher.mode = mode
    with pytest.raises(Unavailable) as caught:
        await checks.authenticate(bearer(RSA_KEY, "RS256", "r"))
    assert caught.value.retry_after
    assert keys.problem().startswith("the JWKS cannot be fetched (")
    publisher.mode = ""
    assert await checks.authenticate(bearer(RSA_KEY, "RS256", "r")) == "u1"
    assert keys.problem() == ""


@pytest.mark.parametrize("mode", [*BROKEN, "hang"])
async def test_known_keys_stay_valid_while_the_publisher_fails(publisher: Provider, mode: str) -> None:
    keys, checks, clock = keys_of(publisher, 0.3)
    await checks.authenticate(bearer(RSA_KEY, "RS256", "r"))
    publisher.mode = mode
    clock.passed = LIFE_SECONDS + 1
    for _ in range(20):
        assert await checks.authenticate(bearer(RSA_KEY, "RS256", "r")) == "u1"
    assert keys.problem()
    assert publisher.fetched <= 4, "pauses between failures grow"
    publisher.mode = ""
    publisher.released.set()
    clock.passed += LONGEST_PAUSE_SECONDS
    before = publisher.fetched
    assert await checks.authenticate(bearer(RSA_KEY, "RS256", "r")) == "u1"
    await settled(publisher, before + 1)
    assert keys.problem() == ""


async def test_an_unknown_key_is_unavailable_while_the_publisher_fails(publisher: Provider) -> None:
    _, checks, clock = keys_of(publisher)
    await checks.authenticate(bearer(RSA_KEY, "RS256", "r"))
    clock.passed, publisher.mode = REFETCH_SECONDS + 1, "html"
    for number in range(20):
        with pytest.raises(Unavailable):
            await checks.authenticate(bearer(RSA_KEY, "RS256", f"stranger-{number}"))
    assert publisher.fetched <= 4


async def test_users_of_known_keys_do_not_wait_while_the_publisher_hangs(publisher: Provider) -> None:
    _, checks, clock = keys_of(publisher, 60.0)
    await checks.authenticate(bearer(RSA_KEY, "RS256", "r"))
    publisher.mode, clock.passed = "hang", REFETCH_SECONDS + 1
    unknown_key_calls = [
        asyncio.create_task(checks.authenticate(bearer(RSA_KEY, "RS256", f"s-{number}"))) for number in range(50)
    ]
    await settled(publisher, 2)
    for key, algorithm, kid in ((RSA_KEY, "RS256", "r"), (EC_KEY, "ES256", "e")):
        assert await checks.authenticate(bearer(key, algorithm, kid)) == "u1"
    assert not any(stranger.done() for stranger in unknown_key_calls), (
        "no user was served while a fetch was in progress"
    )
    assert publisher.fetched == 2
    publisher.released.set()
    outcomes = await asyncio.gather(*unknown_key_calls, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {Unauthenticated}
    # A key id that was missing a moment ago causes no further fetch.
    with pytest.raises(Unauthenticated):
        await checks.authenticate(bearer(RSA_KEY, "RS256", "s-0"))
    assert publisher.fetched == 2


async def test_keys_are_renewed_before_a_request_must_wait(publisher: Provider) -> None:
    _, checks, clock = keys_of(publisher)
    await checks.authenticate(bearer(RSA_KEY, "RS256", "r"))
    publisher.mode, clock.passed = "hang", RENEW_SECONDS + 1
    await checks.authenticate(bearer(RSA_KEY, "RS256", "r"))
    await settled(publisher, 2)
    assert not publisher.released.is_set(), "the token was checked while the fetch hung"


async def test_a_withdrawn_key_expires_with_its_age(publisher: Provider) -> None:
    _, checks, clock = keys_of(publisher)
    await checks.authenticate(bearer(RSA_KEY, "RS256", "r"))
    publisher.keys = publisher.keys[1:]
    clock.passed = LIFE_SECONDS + 1
    with pytest.raises(Unauthenticated):
        await checks.authenticate(bearer(RSA_KEY, "RS256", "r"))


@pytest.mark.parametrize("mode", ["hang", "drip", "flood"])
async def test_users_of_a_publisher_that_hangs_share_one_fetch(publisher: Provider, mode: str) -> None:
    _, checks, clock = keys_of(publisher, 0.3)
    publisher.mode = mode
    for rounds in range(1, 4):
        users = (checks.authenticate(bearer(RSA_KEY, "RS256", "r")) for _ in range(8))
        outcomes = await asyncio.gather(*users, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [Unavailable] * 8
        assert publisher.fetched <= rounds
    await none_is_left(publisher)
    assert publisher.sent <= 3 * (MOST_BYTES + 16 * 1024 * 1024), "what the sockets hold, and no more"
    publisher.mode, clock.passed = "", LONGEST_PAUSE_SECONDS
    assert await checks.authenticate(bearer(RSA_KEY, "RS256", "r")) == "u1"


async def test_a_cancelled_request_leaves_the_fetch_to_others(publisher: Provider) -> None:
    _, checks, _ = keys_of(publisher)
    publisher.mode = "hang"
    users = [asyncio.create_task(checks.authenticate(bearer(RSA_KEY, "RS256", "r"))) for _ in range(8)]
    await settled(publisher, 1)
    users[0].cancel()
    publisher.released.set()
    await asyncio.wait(users)
    assert users[0].cancelled()
    assert [user.result() for user in users[1:]] == ["u1"] * 7
    assert publisher.fetched == 1


async def test_the_query_of_the_url_is_sent_unchanged(publisher: Provider) -> None:
    publisher.url += "?p=b2c_1_policy&v=2.0"
    _, checks, _ = keys_of(publisher)
    assert await checks.authenticate(bearer(RSA_KEY, "RS256", "r")) == "u1"
    assert publisher.queries == ["p=b2c_1_policy&v=2.0"]
