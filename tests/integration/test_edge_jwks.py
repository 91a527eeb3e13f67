"""Signing keys that others publish: fetched when needed, seldom for strangers, kept while their publisher is away."""

import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
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
from sellergate_edge.authn.jwt import Authenticator, JwksKeys

RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())


@dataclass
class Publisher:
    url: str = ""
    fetched: int = 0
    down: bool = False
    keys: list[dict[str, Any]] = field(default_factory=list)

    async def answer(self, _: web.Request) -> web.Response:
        self.fetched += 1
        return web.Response(status=503) if self.down else web.json_response({"keys": self.keys})


@pytest.fixture
async def publisher() -> AsyncIterator[Publisher]:
    published = Publisher()
    for kid, algorithm, key in (("r", RSAAlgorithm, RSA_KEY.public_key()), ("e", ECAlgorithm, EC_KEY.public_key())):
        published.keys.append({**json.loads(algorithm.to_jwk(key)), "kid": kid, "use": "sig"})  # type: ignore[attr-defined]
    app = web.Application()
    app.router.add_get("/jwks", published.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    (port,) = free_ports(1)
    await web.TCPSite(runner, LOOPBACK, port).start()
    published.url = f"http://{LOOPBACK}:{port}/jwks"
    yield published
    await runner.cleanup()


def bearer(key: Any, algorithm: str, kid: str | None) -> str:
    claims = {"sub": "u1", "aud": "sellergate", "iss": "https://issuer", "exp": int(time.time()) + 600}
    return "Bearer " + jwt.encode(claims, key, algorithm, {"kid": kid} if kid else None)


def authenticator(publisher: Publisher) -> Authenticator:
    return Authenticator(JwksKeys(publisher.url, time.monotonic), "sellergate", "https://issuer", time.time)


async def test_published_keys_are_accepted_and_fetched_once(publisher: Publisher) -> None:
    checks = authenticator(publisher)
    for _ in range(3):
        assert await checks.user_of(bearer(RSA_KEY, "RS256", "r")) == "u1"
        assert await checks.user_of(bearer(EC_KEY, "ES256", "e")) == "u1"
    assert publisher.fetched == 1


async def test_strangers_key_ids_do_not_make_us_fetch(publisher: Publisher) -> None:
    checks = authenticator(publisher)
    await checks.user_of(bearer(RSA_KEY, "RS256", "r"))
    for number in range(20):
        with pytest.raises(Unauthenticated):
            await checks.user_of(bearer(RSA_KEY, "RS256", f"stranger-{number}"))
    assert publisher.fetched == 1


async def test_what_must_not_be_accepted(publisher: Publisher) -> None:
    checks = authenticator(publisher)
    public = RSA_KEY.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )

    header = bearer(b"x" * 32, "HS256", "r").removeprefix("Bearer ").rpartition(".")[0]
    mac = jwt.utils.base64url_encode(hmac.digest(public, header.encode(), hashlib.sha256)).decode()
    confused = f"Bearer {header}.{mac}"  # HS256 with the public key as its secret
    others = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    for refused in (
        confused,
        bearer(others, "RS256", "r"),
        bearer(RSA_KEY, "RS256", None),
        bearer(EC_KEY, "ES256", "r"),
    ):
        with pytest.raises(Unauthenticated):
            await checks.user_of(refused)


async def test_a_publisher_that_is_away_at_first_is_told_and_asked_again(publisher: Publisher) -> None:
    checks, publisher.down = authenticator(publisher), True
    with pytest.raises(Unavailable):
        await checks.user_of(bearer(RSA_KEY, "RS256", "r"))
    publisher.down = False
    assert await checks.user_of(bearer(RSA_KEY, "RS256", "r")) == "u1"
