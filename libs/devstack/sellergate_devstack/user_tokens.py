"""User tokens, as a company's sign-in would issue them."""

import time

import jwt

from sellergate_devstack.settings import DevstackSettings

TOKEN_SECONDS = 24 * 3600


def user_token(secret: str, user_id: str, settings: DevstackSettings, seconds: float = TOKEN_SECONDS) -> str:
    """Return a user's token for the edge, signed with the edge's shared secret."""
    claims = {
        "sub": user_id,
        "aud": settings.jwt_audience,
        "iss": settings.jwt_issuer,
        "exp": int(time.time() + seconds),
    }
    return jwt.encode(claims, secret, algorithm="HS256")
