"""The cookies of authorizations: bounded for each browser, for any number of starts."""

from http.cookies import SimpleCookie

import pytest
from sellergate_amazon.seller_central import SellerCentral
from sellergate_edge.routes.website import COOKIE_SECONDS, MOST_COOKIES, Website
from starlette.requests import Request
from starlette.responses import Response


class Jar:
    """The cookies of one browser, in the order of their creation; one that is set again keeps its place."""

    def __init__(self, **cookies: str) -> None:
        self.cookies = dict(cookies)

    def request(self) -> Request:
        header = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return Request({"type": "http", "headers": [(b"cookie", header.encode())] if header else []})

    def take(self, response: Response) -> int:
        """Store what a response sets; return the size of its cookies in bytes."""
        found = [value.decode() for name, value in response.raw_headers if name == b"set-cookie"]
        for text in found:
            ((name, morsel),) = SimpleCookie(text).items()
            if int(morsel["max-age"]) == 0:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = morsel.value
        return sum(map(len, found))

    def size(self) -> int:
        return sum(len(name) + len(value) + 3 for name, value in self.cookies.items())


def website(secure: bool = True) -> Website:
    return Website(None, SellerCentral(), secure=secure)  # type: ignore[arg-type]


@pytest.mark.parametrize("secure", [False, True])
def test_150_authorizations_keep_the_five_newest_cookies_and_foreign_ones(secure: bool) -> None:
    site, jar = website(secure), Jar(session="other", **{"sellergate-theme": "dark"})
    for number in range(150):
        response = Response()
        site.keep_nonce(jar.request(), response, f"state-{number}", f"nonce-{number:040}")
        jar.take(response)
        assert jar.size() < 700
    newest = {site.cookie_of(f"state-{number}") for number in range(145, 150)}
    assert set(jar.cookies) == newest | {"session", "sellergate-theme"}


def test_old_cookies_are_cleared_a_few_at_a_time() -> None:
    site = website()
    jar = Jar(**{site.cookie_of(f"state-{number}"): "n" * 43 for number in range(150)})
    for number in range(150, 160):
        response = Response()
        site.keep_nonce(jar.request(), response, f"state-{number}", "n" * 43)
        assert jar.take(response) < 4096
    assert len(jar.cookies) == MOST_COOKIES
    assert site.cookie_of("state-159") in jar.cookies


def test_a_returning_browser_keeps_its_cookie_and_gets_no_other() -> None:
    site = website()
    jar = Jar(**{site.cookie_of("mine"): "nonce"})
    response = Response()
    site.renew_nonce(jar.request(), response, "mine")
    assert f"Max-Age={COOKIE_SECONDS}" in response.headers["set-cookie"]
    assert jar.take(response)
    assert jar.cookies == {site.cookie_of("mine"): "nonce"}
    response = Response()
    site.renew_nonce(jar.request(), response, "theirs")
    assert "set-cookie" not in response.headers
