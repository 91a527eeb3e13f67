"""ID tokens of a provider or an attacker."""

import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from sellergate_common.errors import Unauthenticated
from sellergate_edge.sign_in.id_tokens import SignedIdTokens
from sellergate_edge.sign_in.sign_in import Tokens

KEY, OTHER = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))
ISSUER, CLIENT = "https://issuer.example", "console"


class Published:
    """The provider's only key."""

    algorithms: tuple[str, ...] = ("RS256", "ES256")

    async def key_of(self, token: str) -> Any:
        return KEY.public_key()


async def check(key: Any = KEY, algorithm: str = "RS256", access_token: str = "", **changes: Any) -> None:
    now = int(time.time())
    good = {"iss": ISSUER, "aud": CLIENT, "sub": "u1", "iat": now, "exp": now + 60, "nonce": "n"}
    claims = {name: value for name, value in {**good, **changes}.items() if value is not None}
    tokens = Tokens(jwt.encode(claims, key, algorithm), access_token)
    await SignedIdTokens(Published(), CLIENT, ISSUER, time.time).check(tokens, "n")


async def test_a_valid_id_token_is_accepted() -> None:
    await check()
    await check(aud=[CLIENT, "other"], azp=CLIENT)


@pytest.mark.parametrize(
    "changes",
    [
        {"key": OTHER},
        {"key": "x" * 32, "algorithm": "HS256"},
        {"key": None, "algorithm": "none"},
        {"iss": "https://other.example"},
        {"aud": "other"},
        {"aud": [CLIENT, "other"]},
        {"azp": "other"},
        {"nonce": "other"},
        {"nonce": None},
        {"sub": None},
        {"iat": None},
        {"exp": 1},
        {"iat": int(time.time()) + 600},
        {"at_hash": "other", "access_token": "a"},
    ],
    ids="-".join,
)
async def test_an_invalid_id_token_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(Unauthenticated):
        await check(**changes)
