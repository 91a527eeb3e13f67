"""ID tokens: signed by the provider, for this client and this sign-in (OpenID Connect Core 1.0, 3.1.3.7)."""

from collections.abc import Callable
from typing import Any

import jwt
from authlib.oidc.core import CodeIDToken
from joserfc.errors import JoseError
from sellergate_common.errors import Unauthenticated

from sellergate_edge.authn.jwt import LEEWAY_SECONDS, Keys
from sellergate_edge.sign_in.sign_in import Tokens


class SignedIdTokens:
    """A check of ID tokens by the provider's published keys. `now` is the wall clock."""

    def __init__(self, keys: Keys, client_id: str, issuer: str, now: Callable[[], float]) -> None:
        self._keys = keys
        self._client_id = client_id
        self._issuer = issuer
        self._now = now

    async def check(self, tokens: Tokens, nonce: str) -> None:
        """Check the signature and every claim. Raises Unauthenticated, Unavailable."""
        try:
            key = await self._keys.key_of(tokens.id_token)
            claims: dict[str, Any] = jwt.decode(
                tokens.id_token,
                key,
                algorithms=list(self._keys.algorithms),
                audience=self._client_id,
                issuer=self._issuer,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iat", "aud", "iss", "sub", "nonce"]},
            )
            expected = {"nonce": nonce, "client_id": self._client_id}
            if tokens.access_token:
                expected["access_token"] = tokens.access_token
            header = jwt.get_unverified_header(tokens.id_token)
            CodeIDToken(claims, header, params=expected).validate(int(self._now()), LEEWAY_SECONDS)
        except (jwt.PyJWTError, JoseError, TypeError, ValueError, ArithmeticError, RecursionError) as error:
            raise Unauthenticated(
                f"The provider's ID token is not accepted ({type(error).__name__}). Sign in again."
            ) from None
