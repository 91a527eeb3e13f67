"""Dependencies of the routes: the user who asks, and the client of the services."""

from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sellergate_client import Sellergate

from sellergate_edge.authn.jwt import Authenticator
from sellergate_edge.limits.limiter import Limits

_USER = "sellergate.user"
# Only for the OpenAPI document; the authenticator reads the header itself, so that every refusal is a problem document.
_BEARER = HTTPBearer(
    auto_error=False, bearerFormat="JWT", description="`sub` is the user id; exp, aud and iss are required."
)


async def user_of(request: Request) -> str:
    """Return the user of a request, who does not ask too often; asked again, the same. Raises Unauthenticated, QuotaExceeded."""
    known = request.scope.get(_USER)
    if known is not None:
        return str(known)
    authenticator: Authenticator = request.app.state.authenticator
    limits: Limits = request.app.state.limits
    user = await authenticator.user_of(request.headers.get("authorization"))
    await limits.acquire(user)
    request.scope[_USER] = user
    return user


async def _documented(request: Request, _: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]) -> str:
    return await user_of(request)


def sellergate_of(request: Request) -> Sellergate:
    """Return the client of the services."""
    client: Sellergate = request.app.state.sellergate
    return client


User = Annotated[str, Depends(_documented)]
Client = Annotated[Sellergate, Depends(sellergate_of)]
