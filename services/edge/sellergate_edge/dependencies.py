"""The dependencies of the routes: one typed object, set once on the app, and the parts that FastAPI injects from it."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, FastAPI, Query, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sellergate_client import Sellergate
from sellergate_client.rotations import Rotations

from sellergate_edge.authn.authenticator import Authenticator
from sellergate_edge.dropin.tokens import DropInTokens
from sellergate_edge.limits.guesses import Guesses
from sellergate_edge.limits.limiter import Limits
from sellergate_edge.routes.website import Website
from sellergate_edge.sign_in.sign_in import SignIn

_USER = "sellergate.user"
# For the OpenAPI document only; the authenticator reads the header itself, so that every refusal is a problem document.
_BEARER = HTTPBearer(
    auto_error=False, bearerFormat="JWT", description="`sub` is the user id; `exp`, `aud` and `iss` are required."
)


@dataclass(frozen=True, slots=True)
class Dependencies:
    """The dependencies of one edge's routes. `sign_in` is None if users paste a token into the console; `operators` are users."""

    authenticator: Authenticator
    sellergate: Sellergate
    rotations: Rotations
    website: Website
    limits: Limits
    guesses: Guesses
    tokens: DropInTokens
    sign_in: SignIn | None = None
    operators: frozenset[str] = frozenset()


def provide(app: FastAPI, dependencies: Dependencies) -> None:
    """Set the dependencies of an app, once."""
    app.state.dependencies = dependencies


def dependencies_of(request: Request) -> Dependencies:
    """Return the dependencies of the request's app."""
    dependencies: Dependencies = request.app.state.dependencies
    return dependencies


async def user_of(request: Request) -> str:
    """Return the user of a request, which is authenticated and counted once. Raises Unauthenticated, Unavailable, QuotaExceeded."""
    known = request.scope.get(_USER)
    if known is not None:
        return str(known)
    dependencies = dependencies_of(request)
    user = await dependencies.authenticator.authenticate(request.headers)
    await dependencies.limits.acquire(user)
    request.scope[_USER] = user
    return user


async def _documented(request: Request, _: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]) -> str:
    return await user_of(request)


def sellergate_of(request: Request) -> Sellergate:
    """Return the client of the services."""
    return dependencies_of(request).sellergate


def website_of(request: Request) -> Website:
    """Return the edge's part in website authorizations."""
    return dependencies_of(request).website


User = Annotated[str, Depends(_documented)]
Client = Annotated[Sellergate, Depends(sellergate_of)]
Site = Annotated[Website, Depends(website_of)]
Provided = Annotated[Dependencies, Depends(dependencies_of)]
AllUsers = Annotated[
    bool,
    Query(
        alias="allUsers",
        description="Also accounts of other users. Only for operators, which SELLERGATE_OPERATOR_USERS names; others get 403",
    ),
]
