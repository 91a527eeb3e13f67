"""Authentication of users by their JWT."""

import hashlib
from collections.abc import Callable
from typing import Any, Protocol

import jwt
from pydantic import SecretStr
from sellergate_common.cache.lru import Lru
from sellergate_common.errors import Unauthenticated
from sellergate_common.identity.users import MAX_USER_ID_LENGTH, is_user_id

LEEWAY_SECONDS = 30
# A key that its publisher took back is not accepted for longer than this.
GOOD_SECONDS = 10.0
MAX_AUTHORIZATION_CHARACTERS = 16 * 1024
"""Tokens with the groups of a user have up to 8,000."""
_MOST_GOOD = 10_000
# Tokens of other kinds are signed by others for other ends; none of them is a Bearer token here.
_TYPES = frozenset({"JWT", "AT+JWT"})


class Keys(Protocol):
    """Finds the key that a token must be signed with."""

    algorithms: tuple[str, ...]

    async def key_of(self, token: str) -> Any:
        """Return the key. Raises Unauthenticated, Unavailable."""


class SharedSecret:
    """One secret for HS256."""

    algorithms: tuple[str, ...] = ("HS256",)

    def __init__(self, secret: SecretStr) -> None:
        self._secret = secret

    async def key_of(self, token: str) -> Any:  # noqa: ARG002
        """Return the secret."""
        return self._secret.get_secret_value()


class Authenticator:
    """Checks Bearer tokens; one that was found good is not checked again for a few seconds. `now` is the wall clock."""

    def __init__(self, keys: Keys, audience: str, issuer: str, now: Callable[[], float]) -> None:
        self._now = now
        self._keys = keys
        self._audience = audience
        self._issuer = issuer
        self._good: Lru[bytes, tuple[str, float]] = Lru(_MOST_GOOD)

    async def user_of(self, authorization: str | None) -> str:
        """Return the user (`sub`) of an Authorization header. Raises Unauthenticated."""
        if len(authorization or "") > MAX_AUTHORIZATION_CHARACTERS:
            raise Unauthenticated(f"The Authorization header has more than {MAX_AUTHORIZATION_CHARACTERS} characters.")
        digest = hashlib.sha256((authorization or "").encode()).digest()
        known = self._good.get(digest)
        if known is not None and self._now() < known[1]:
            return known[0]
        user, end = await self._check(authorization)
        self._good.put(digest, (user, min(end, self._now() + GOOD_SECONDS)))
        return user

    async def _check(self, authorization: str | None) -> tuple[str, float]:
        """Return the user, and when the token ends."""
        scheme, _, token = (authorization or "").partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            raise Unauthenticated("Send a token: Authorization: Bearer <JWT>.")
        try:
            header = jwt.get_unverified_header(token)
            if str(header.get("typ", "JWT")).upper() not in _TYPES:
                raise Unauthenticated("This kind of token is not a Bearer token.")
            key = await self._keys.key_of(token)
            claims = jwt.decode(
                token,
                key,
                algorithms=list(self._keys.algorithms),
                audience=self._audience,
                issuer=self._issuer,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "aud", "iss", "sub"]},
            )
            end = float(claims["exp"])
        except jwt.ExpiredSignatureError:
            raise Unauthenticated("The token has expired; get a new one.") from None
        except (jwt.PyJWTError, TypeError, ValueError, ArithmeticError, RecursionError) as error:
            # PyJWT raises TypeError where a key is of another kind than the token's algorithm, and lets through what Python
            # makes of 1e400 and of a thousand brackets.
            raise Unauthenticated(f"The token is not accepted ({type(error).__name__}); get a new one.") from None
        user = claims["sub"]
        if not isinstance(user, str) or not is_user_id(user):
            raise Unauthenticated(
                f"The token's sub must be a user id of at most {MAX_USER_ID_LENGTH} printable characters."
            )
        return user, end
