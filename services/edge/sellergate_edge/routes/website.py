"""The edge's part in website authorizations: the frontend's pages, and the cookies that bind a state to its browser."""

import hashlib
from dataclasses import dataclass

from fastapi import Request, Response
from sellergate_amazon.seller_central import SellerCentral
from sellergate_client.authorizations import Authorizations

COOKIE = "sellergate-oauth-"
COOKIE_SECONDS = 600
# The most authorizations that one browser has in progress.
MOST_COOKIES = 5
# A response clears at most this many old cookies, so that its headers stay small.
_MOST_CLEARED = 20
_DIGITS = 16


@dataclass(frozen=True, slots=True)
class Website:
    """Website authorizations of one edge. `login_page` and `done_page` are pages of the frontend; None: there is none.

    `secure`: browsers reach the edge by https. Then the cookie's name begins with __Host-, so that neighbouring hosts cannot set
    it; browsers accept such a cookie only for the path /.
    """

    authorizations: Authorizations
    centrals: SellerCentral
    secure: bool = True
    login_page: str | None = None
    done_page: str | None = None

    def cookie_of(self, state: str) -> str:
        """Return the name of a state's cookie. Each state has its own, so that authorizations in several tabs do not interfere."""
        digest = hashlib.sha256(state.encode()).hexdigest()[:_DIGITS]
        return f"{'__Host-' if self.secure else ''}{COOKIE}{digest}"

    def keep_nonce(self, request: Request, response: Response, state: str, nonce: str) -> None:
        """Set the cookie with the nonce of a new authorization, and clear the oldest cookies beyond MOST_COOKIES."""
        name = self.cookie_of(state)
        # Browsers send cookies of one path in the order of their creation (RFC 6265, 5.4).
        prefix = name[:-_DIGITS]
        others = [other for other in request.cookies if other.startswith(prefix) and other != name]
        for old in others[: -(MOST_COOKIES - 1)][:_MOST_CLEARED]:
            self._set(response, old, "", 0)
        self._set(response, name, nonce, COOKIE_SECONDS)

    def renew_nonce(self, request: Request, response: Response, state: str) -> None:
        """Extend the cookie of a returning browser for as long as a repeated callback gets the same response."""
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
            samesite="lax",  # Amazon's redirect is a navigation from another site, for which browsers withhold strict cookies
        )
