"""The access tokens that SDKs get in place of Amazon's: JWTs under the edge's own keys, and no Bearer tokens of the REST API."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jwt
from sellergate_common.cache.lru import Lru
from sellergate_common.crypto.sealing import ring_entries, ring_key

LIFE_SECONDS = 3600
AUDIENCE = "sellergate-dropin"
ACCESS_TYPE = "sg-dropin+jwt"
RESTRICTED_TYPE = "sg-rdt+jwt"
_ALGORITHM = "HS512"
_REMEMBERED = 10_000

Resources = tuple[tuple[str, str, tuple[str, ...]], ...]


class TokenExpired(Exception):
    """A token that the edge issued and that has expired."""


class TokenInvalid(Exception):
    """A token that the edge did not issue, or one of another type."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token permits.

    `scope`: only grantless operations of these scopes, separated by spaces. `resources`: only these, as (method, path, data
    elements).
    """

    client_id: str
    user_id: str
    account_id: str
    scope: str = ""
    resources: Resources = ()


class DropInTokens:
    """The issuer and reader of tokens. `ring` holds `kid base64url(64 bytes)` lines: the first signs, all are accepted.

    `now` is the wall clock.
    """

    def __init__(self, ring: str, now: Callable[[], float]) -> None:
        self._now = now
        self._keys = {kid: ring_key(kid, encoded) for kid, encoded in ring_entries(ring).items()}
        self._read: Lru[bytes, tuple[Grant, float]] = Lru(_REMEMBERED)

    def issue(self, grant: Grant, life: int = LIFE_SECONDS) -> str:
        """Return a token that lives for `life` seconds."""
        kid, key = next(iter(self._keys.items()))
        claims: dict[str, Any] = {
            "aud": AUDIENCE,
            "exp": int(self._now()) + life,
            "sub": grant.client_id,
            "usr": grant.user_id,
            "acc": grant.account_id,
        }
        if grant.scope:
            claims["scope"] = grant.scope
        if grant.resources:
            claims["res"] = grant.resources
        kind = RESTRICTED_TYPE if grant.resources else ACCESS_TYPE
        return jwt.encode(claims, key, algorithm=_ALGORITHM, headers={"kid": kid, "typ": kind})

    def read(self, token: str) -> Grant:
        """Return the grant of a token. Raises TokenExpired, TokenInvalid."""
        digest = hashlib.sha256(token.encode()).digest()
        known = self._read.get(digest)
        if known is None:
            known = self._decode(token)
            if not known[0].resources:  # tokens with resources may be long
                self._read.put(digest, known)
        grant, end = known
        if self._now() >= end:
            self._read.drop(digest)
            raise TokenExpired
        return grant

    def _decode(self, token: str) -> tuple[Grant, float]:
        try:
            header = jwt.get_unverified_header(token)
            kind, key = header.get("typ"), self._keys[header["kid"]]
            claims = jwt.decode(
                token, key, algorithms=[_ALGORITHM], audience=AUDIENCE, options={"require": ["exp", "aud", "sub"]}
            )
            resources = tuple((method, path, tuple(elements)) for method, path, elements in claims.get("res", ()))
            if kind != (RESTRICTED_TYPE if resources else ACCESS_TYPE):
                raise TokenInvalid
            grant = Grant(claims["sub"], claims["usr"], claims["acc"], claims.get("scope", ""), resources)
            return grant, float(claims["exp"])
        except jwt.ExpiredSignatureError:
            raise TokenExpired from None
        except (jwt.PyJWTError, KeyError, TypeError, ValueError, ArithmeticError, RecursionError):
            raise TokenInvalid from None
