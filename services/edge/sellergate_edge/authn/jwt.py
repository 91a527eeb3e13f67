"""Authentication of users by their JSON Web Token."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import jwt
from pydantic import SecretStr
from sellergate_common.cache.lru import Lru
from sellergate_common.errors import Unauthenticated
from sellergate_common.identity.users import MAX_USER_ID_LENGTH, is_user_id

LEEWAY_SECONDS = 30
# A key that its publisher has withdrawn is accepted for at most this much longer.
GOOD_SECONDS = 10.0
MAX_AUTHORIZATION_CHARACTERS = 16 * 1024
"""Tokens with the groups of a user have up to 8,000."""
_MOST_GOOD = 10_000
# Tokens of other types, such as those of the drop-in endpoint, are no Bearer tokens.
_TYPES = frozenset({"JWT", "AT+JWT"})


class Keys(Protocol):
    """A source of the keys that tokens must be signed with."""

    algorithms: tuple[str, ...]

    async def key_of(self, token: str) -> Any:
        """Return the key. Raises Unauthenticated, Unavailable."""


class SharedSecret:
    """A secret for HS256 that the edge shares with the issuer."""

    algorithms: tuple[str, ...] = ("HS256",)

    def __init__(self, secret: SecretStr) -> None:
        self._secret = secret

    async def key_of(self, token: str) -> Any:  # noqa: ARG002
        """Return the secret."""
        return self._secret.get_secret_value()


class JwtAuthenticator:
    """The `Authenticator` for Bearer tokens. A valid token is not checked again for GOOD_SECONDS. `now` is the wall clock."""

    def __init__(self, keys: Keys, audience: str, issuer: str, now: Callable[[], float]) -> None:
        self._now = now
        self._keys = keys
        self._audience = audience
        self._issuer = issuer
        self._good: Lru[bytes, tuple[str, float]] = Lru(_MOST_GOOD)

    def has_credentials(self, headers: Mapping[str, str]) -> bool:
        """Return whether there is an Authorization header."""
        return bool(headers.get("authorization"))

    async def authenticate(self, headers: Mapping[str, str]) -> str:
        """Return the user (`sub`) of the Authorization header. Raises Unauthenticated, Unavailable."""
        authorization = headers.get("authorization", "")
        if len(authorization) > MAX_AUTHORIZATION_CHARACTERS:
            raise Unauthenticated(
                f"The Authorization header has more than {MAX_AUTHORIZATION_CHARACTERS} characters; send a shorter token."
            )
        digest = hashlib.sha256(authorization.encode()).digest()
        known = self._good.get(digest)
        if known is not None and self._now() < known[1]:
            return known[0]
        user, end = await self._check(authorization)
        self._good.put(digest, (user, min(end, self._now() + GOOD_SECONDS)))
        return user

    async def _check(self, authorization: str) -> tuple[str, float]:
        """Return the user, and the time at which the token expires."""
        scheme, _, token = authorization.partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            raise Unauthenticated("The request carries no token. Send the header Authorization: Bearer <JWT>.")
        try:
            header = jwt.get_unverified_header(token)
            if str(header.get("typ", "JWT")).upper() not in _TYPES:
                raise Unauthenticated("This type of token is not a Bearer token. Send a JWT of the identity provider.")
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
            raise Unauthenticated("The token has expired. Get a new one.") from None
        except (jwt.PyJWTError, TypeError, ValueError, ArithmeticError, RecursionError) as error:
            # PyJWT raises TypeError where a key does not fit the token's algorithm, and does not catch the errors of Python for
            # 1e400 and for a thousand brackets.
            raise Unauthenticated(f"The token is not accepted ({type(error).__name__}). Get a new one.") from None
        user = claims["sub"]
        if not isinstance(user, str) or not is_user_id(user):
            raise Unauthenticated(
                f"The token's sub must be a user id of at most {MAX_USER_ID_LENGTH} printable characters."
            )
        return user, end
