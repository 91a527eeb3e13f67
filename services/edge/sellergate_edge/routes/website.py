"""The edge's part in website authorizations: the pages of the frontend, and the cookies that bind a state to its browser."""

import hashlib
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request, Response
from sellergate_amazon.seller_central import SellerCentral
from sellergate_client.authorizations import Authorizations

COOKIE = "sellergate-oauth-"
COOKIE_SECONDS = 600
# Authorizations that one browser has under way at most.
MOST_COOKIES = 5
# Of many cookies a response clears the oldest, no more than its headers may well hold.
_MOST_CLEARED = 20
_DIGITS = 16


@dataclass(frozen=True, slots=True)
class Website:
    """`login_page` and `done_page` are pages of the frontend; None: there is none.

    `secure`: browsers reach the edge by https. Then the cookie's name begins with __Host-, which keeps neighbouring hosts from
    planting one; a browser takes such a cookie for the path / alone.
    """

    authorizations: Authorizations
    centrals: SellerCentral
    secure: bool = True
    login_page: str | None = None
    done_page: str | None = None

    def cookie_of(self, state: str) -> str:
        """Return the name of a state's cookie: each has its own, so that authorizations in several tabs leave each other alone."""
        digest = hashlib.sha256(state.encode()).hexdigest()[:_DIGITS]
        return f"{'__Host-' if self.secure else ''}{COOKIE}{digest}"

    def keep_nonce(self, request: Request, response: Response, state: str, nonce: str) -> None:
        """Give the browser the nonce of the authorization that it begins, and clear its oldest ones beyond MOST_COOKIES."""
        name = self.cookie_of(state)
        # Browsers send cookies of one path in the order of their making (RFC 6265, 5.4).
        prefix = name[:-_DIGITS]
        others = [other for other in request.cookies if other.startswith(prefix) and other != name]
        for old in others[: -(MOST_COOKIES - 1)][:_MOST_CLEARED]:
            self._set(response, old, "", 0)
        self._set(response, name, nonce, COOKIE_SECONDS)

    def renew_nonce(self, request: Request, response: Response, state: str) -> None:
        """Let a browser that came back keep its nonce for as long as a repetition is remembered."""
        name = self.cookie_of(state)
        if nonce := request.cookies.get(name):
            self._set(response, name, nonce, COOKIE_SECONDS)

    def _set(self, response: Response, name: str, value: str, seconds: int) -> None:
        response.set_cookie(
            name,
            value,
            max_age=seconds,
            path="/",
            secure=self.secure,
            httponly=True,
            samesite="lax",  # Amazon's redirect is a navigation from another site: strict would keep the cookie back
        )


def website_of(request: Request) -> Website:
    """Return the website."""
    website: Website = request.app.state.website
    return website


Site = Annotated[Website, Depends(website_of)]
