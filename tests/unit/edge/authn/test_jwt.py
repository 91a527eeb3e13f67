"""Authentication by JWT: tokens that must be refused, and tokens that must be accepted."""

import base64
import json
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from pydantic import SecretStr
from sellergate_common.errors import Unauthenticated
from sellergate_edge.authn.jwt import JwtAuthenticator, SharedSecret

SECRET = "0123456789abcdef" * 4
AUTHENTICATOR = JwtAuthenticator(SharedSecret(SecretStr(SECRET)), "sellergate", "https://issuer", time.time)


async def user_of(authorization: str | None) -> str:
    return await AUTHENTICATOR.authenticate({} if authorization is None else {"authorization": authorization})


RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def claims(**changes: Any) -> dict[str, Any]:
    good = {"sub": "u1", "aud": "sellergate", "iss": "https://issuer", "exp": int(time.time()) + 600}
    return {name: value for name, value in {**good, **changes}.items() if value is not None}


def token(key: Any = SECRET, algorithm: str = "HS256", headers: dict[str, Any] | None = None, **changes: Any) -> str:
    return jwt.encode(claims(**changes), key, algorithm, headers)


def unsigned() -> str:
    parts = ({"alg": "none", "typ": "JWT"}, claims())
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts) + "."


async def test_a_valid_token_authenticates_its_user() -> None:
    assert await user_of(f"Bearer {token()}") == "u1"
    assert await user_of(f"bearer  {token(headers={'typ': 'at+jwt'})} ") == "u1"
    assert await user_of(f"Bearer {token(aud=['other', 'sellergate'])}") == "u1"


@pytest.mark.parametrize("user", ["jürgen", "ju\u0308rgen", "山田太郎", "🦊", " a b ", "界" * 128])
async def test_a_user_id_is_any_printable_text_and_stays_byte_for_byte(user: str) -> None:
    assert await user_of(f"Bearer {token(sub=user)}") == user


PUBLIC = RSA.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Basic dTpw",
        "Bearer garbage",
        "Bearer a.b.c",
        f"Bearer {base64.urlsafe_b64encode(b'[' * 30_000).decode()}.e30.AA",
        f"Bearer {unsigned()}",
        f"Bearer {token(key='another secret of at least thirty-two bytes')}",
        f"Bearer {token()}x",
        f"Bearer {token(algorithm='HS512')}",
        f"Bearer {token(RSA, 'RS256')}",
        f"Bearer {token(ec.generate_private_key(ec.SECP256R1()), 'ES256')}",
        f"Bearer {token(exp=int(time.time()) - 60)}",
        f"Bearer {token(exp=None)}",
        f"Bearer {token(aud='other')}",
        f"Bearer {token(aud=None)}",
        f"Bearer {token(iss='https://other')}",
        f"Bearer {token(iss=None)}",
        f"Bearer {token(sub=None)}",
        f"Bearer {token(sub='')}",
        f"Bearer {token(sub='x' * 129)}",
        f"Bearer {token(sub='a' + chr(10) + 'b')}",
        f"Bearer {token(sub='界' * 129)}",
        f"Bearer {token(sub='a' + chr(0x85))}",
        f"Bearer {token(sub='a' + chr(0x202E))}",
        f"Bearer {token(sub='a' + chr(0xD800))}",
        f"Bearer {token(nbf=int(time.time()) + 600)}",
        f"Bearer {token(headers={'typ': 'sg-dropin+jwt'})}",
        f"Bearer {token(headers={'typ': 'sg-rdt+jwt'})}",
    ],
)
async def test_any_other_header_is_unauthenticated(authorization: str | None) -> None:
    with pytest.raises(Unauthenticated) as caught:
        await user_of(authorization)
    parts = (authorization or "").split()
    assert len(parts) < 2 or len(parts[1]) < 10 or parts[1] not in caught.value.message
