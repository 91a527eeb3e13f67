"""What the console asks while a person signs in. No cookie and no token is involved, so no other site can ask in a user's name."""

from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import Field
from sellergate_common.errors import Unimplemented

from sellergate_edge.routes.models import Given, Json
from sellergate_edge.routes.user_route import DocumentRoute
from sellergate_edge.sign_in.sign_in import SignIn

PREFIX = "/api/sign-in"
router = APIRouter(prefix=PREFIX, tags=["sign-in"], route_class=DocumentRoute, include_in_schema=False)


class Ways(Json):
    """How people sign in to the console. `provider`: at an OpenID Connect provider; else they paste a token."""

    provider: bool


class BegunSignIn(Json):
    """Where to send the browser, and what the tab keeps."""

    url: str
    state: str
    ticket: str


class Redirected(Given):
    """What the provider's redirect brought back to the tab, with the ticket that it kept."""

    ticket: Annotated[str, Field(max_length=2048)]
    state: Annotated[str, Field(max_length=128)]
    code: Annotated[str, Field(min_length=1, max_length=4096)]
    iss: Annotated[str, Field(max_length=2048)] = ""


class Session(Json):
    """The token of a session, and where the browser goes at its end; empty: nowhere."""

    token: str
    end_session_url: str


@router.get("")
async def ways(request: Request) -> Ways:
    """Report how people sign in."""
    return Ways(provider=request.app.state.sign_in is not None)


@router.post("/begin")
async def begin(request: Request) -> BegunSignIn:
    """Begin a sign-in."""
    begun = await _sign_in(request).begin()
    return BegunSignIn(url=begun.url, state=begun.state, ticket=begun.ticket)


@router.post("/complete")
async def complete(request: Request, given: Redirected) -> Session:
    """End a sign-in."""
    signed_in = await _sign_in(request).complete(given.ticket, given.state, given.code, given.iss)
    return Session(token=signed_in.token, end_session_url=signed_in.end_session_url)


def _sign_in(request: Request) -> SignIn:
    sign_in: SignIn | None = request.app.state.sign_in
    if sign_in is None:
        raise Unimplemented("Sign-in at a provider is not set up; set SELLERGATE_SIGN_IN_CLIENT_ID, or paste a token.")
    return sign_in
