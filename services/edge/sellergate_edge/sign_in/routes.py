"""Requests of the console during a sign-in. They use no cookie and no token, so that no other site can send them for a user."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field
from sellergate_common.errors import Unimplemented

from sellergate_edge.dependencies import Dependencies, Provided
from sellergate_edge.routes.models import Given, Json
from sellergate_edge.routes.user_route import DocumentRoute
from sellergate_edge.sign_in.sign_in import SignIn

PREFIX = "/api/sign-in"
router = APIRouter(prefix=PREFIX, tags=["sign-in"], route_class=DocumentRoute, include_in_schema=False)


class Ways(Json):
    """The way to sign in to the console. `provider`: at an OpenID Connect provider; else the user pastes a token."""

    provider: bool


class BegunSignIn(Json):
    """The URL for the browser, and what the tab keeps until the redirect."""

    url: str
    state: str
    ticket: str


class Redirected(Given):
    """The parameters of the provider's redirect, with the ticket that the tab kept."""

    ticket: Annotated[str, Field(max_length=2048)]
    state: Annotated[str, Field(max_length=128)]
    code: Annotated[str, Field(min_length=1, max_length=4096)]
    iss: Annotated[str, Field(max_length=2048)] = ""


class Session(Json):
    """The token of a session, and the URL that ends it at the provider; empty: none."""

    token: str
    end_session_url: str


@router.get("")
async def ways(provided: Provided) -> Ways:
    """Return the way to sign in."""
    return Ways(provider=provided.sign_in is not None)


@router.post("/begin")
async def begin(provided: Provided) -> BegunSignIn:
    """Start a sign-in."""
    begun = await _sign_in(provided).begin()
    return BegunSignIn(url=begun.url, state=begun.state, ticket=begun.ticket)


@router.post("/complete")
async def complete(provided: Provided, given: Redirected) -> Session:
    """Complete a sign-in and return the session's token."""
    signed_in = await _sign_in(provided).complete(given.ticket, given.state, given.code, given.iss)
    return Session(token=signed_in.token, end_session_url=signed_in.end_session_url)


def _sign_in(provided: Dependencies) -> SignIn:
    if provided.sign_in is None:
        raise Unimplemented(
            "Sign-in at a provider is not configured. Set SELLERGATE_SIGN_IN_CLIENT_ID, or paste a token."
        )
    return provided.sign_in
