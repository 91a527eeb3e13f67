"""What the edge knows of the browser's way to Amazon and back: who keeps it, which pages are whose, and the cookie's form."""

import hashlib
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request, Response
from sellergate_amazon.centrals import Centrals
from sellergate_client.authorizations import Authorizations

COOKIE = "sellergate-oauth-"
COOKIE_SECONDS = 600
_DIGITS = 16


@dataclass(frozen=True, slots=True)
class Website:
    """`login_page` and `done_page` are pages of the frontend; None: there is none.

    `secure`: browsers reach the edge by https. Then the cookie's name begins with __Host-, which keeps neighbouring hosts from
    planting one; a browser takes such a cookie for the path / alone.
    """

    authorizations: Authorizations
    centrals: Centrals
    secure: bool = True
    login_page: str | None = None
    done_page: str | None = None

    def cookie_of(self, state: str) -> str:
        """Return the name of a state's cookie: each has its own, so that authorizations in several tabs leave each other alone."""
        digest = hashlib.sha256(state.encode()).hexdigest()[:_DIGITS]
        return f"{'__Host-' if self.secure else ''}{COOKIE}{digest}"

    def keep_nonce(self, response: Response, state: str, nonce: str) -> None:
        """Give the browser the nonce of the authorization that it begins."""
        self._set(response, state, nonce, COOKIE_SECONDS)

    def drop_nonce(self, response: Response, state: str) -> None:
        """Take the nonce back."""
        self._set(response, state, "", 0)

    def _set(self, response: Response, state: str, value: str, seconds: int) -> None:
        response.set_cookie(
            self.cookie_of(state),
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
