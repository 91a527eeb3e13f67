"""Callbacks that must not be trusted: each is refused, the browser shows the reason, and nothing is stored."""

import secrets
from collections.abc import AsyncIterator

import httpx
import pytest
from redis.asyncio import Redis
from sellergate_devstack.suite import Suite

from tests.e2e.browsers import AUTHORIZATIONS, CALLBACK, LOGIN, SEEN, Browser, changed, known_application, query_of
from tests.e2e.browsers import stored_state as stored
from tests.e2e.conftest import Rest
from tests.e2e.sellers import Seller


@pytest.fixture
async def browser(suite: Suite) -> AsyncIterator[Browser]:
    opened = Browser(suite)
    async with opened.client:
        yield opened


@pytest.fixture
async def application(suite: Suite, control: httpx.AsyncClient, seller: Seller) -> str:
    return await known_application(suite, control, seller)


async def refused(browser: Browser, url: str, field: str, status: int = 400) -> None:
    """Check that a callback is refused with the field named, as a page and as JSON, and that nothing is stored."""
    before = await stored(browser.suite)
    page = await browser.visit(url)
    assert (page.status_code, page.headers["content-type"]) == (status, "text/html; charset=utf-8"), page.text
    assert "The seller was not connected" in page.text
    assert field in page.text
    assert (page.headers["referrer-policy"], page.headers["cache-control"]) == ("no-referrer", "no-store")
    problem = await browser.visit(url, accept="application/json")
    assert problem.headers["content-type"] == "application/problem+json"
    assert problem.status_code == 400
    assert await stored(browser.suite) == before
    for secret in (query_of(url).get("state"), query_of(url).get("spapi_oauth_code")):
        assert not secret or secret not in page.text + problem.text


async def test_a_state_is_valid_for_one_code_and_one_seller(browser: Browser, application: str, seller: Seller) -> None:
    back = await browser.consent(await browser.began(application), seller.seller_id)
    assert (await browser.visit(back)).status_code == 200
    await refused(browser, changed(back, spapi_oauth_code="another"), "state")
    await refused(browser, changed(back, selling_partner_id="A1OTHER234567"), "state")


async def test_a_code_is_refused_the_second_time(browser: Browser, application: str, seller: Seller) -> None:
    back = await browser.consent(await browser.began(application), seller.seller_id)
    assert (await browser.visit(back)).status_code == 200
    fresh = query_of(await browser.began(application))["state"]
    await refused(browser, changed(back, state=fresh), "code")


async def test_tampered_invented_and_missing_states_are_refused(
    browser: Browser, application: str, seller: Seller
) -> None:
    back = await browser.consent(await browser.began(application), seller.seller_id)
    state = query_of(back)["state"]
    turned = state[:-1] + ("A" if state[-1] != "A" else "B")
    for wrong in (turned, state + "A", state[:-1], state.swapcase(), secrets.token_urlsafe(32), "*", "é"):
        await refused(browser, changed(back, state=wrong), "state")
    await refused(browser, changed(back, state=""), "state")
    await refused(browser, changed(back, state="x" * 3000), "state")
    assert (await browser.visit(back)).status_code == 200, "the true one is still good"


async def test_an_expired_state_is_refused(browser: Browser, application: str, seller: Seller) -> None:
    back = await browser.consent(await browser.began(application), seller.seller_id)
    async with Redis.from_url(browser.suite.plan.redis_address) as redis:
        keys = [key async for key in redis.scan_iter("state:*")]
        assert keys
        assert all([0 < await redis.pttl(key) <= 600_000 for key in keys])
        for key in keys:
            await redis.pexpire(key, 1)
    await refused(browser, back, "10 minutes")


async def test_a_state_is_refused_in_another_browser(
    suite: Suite, browser: Browser, application: str, seller: Seller
) -> None:
    """Try the callback of an attacker's authorization in a victim's browser, and the victim's in the attacker's."""
    back = await browser.consent(await browser.began(application), seller.seller_id)
    other = Browser(suite, "u2")
    async with other.client:
        await other.began(application)  # the browser's cookie belongs to its own state
        await refused(other, back, "browser")
    page = await browser.visit(back)
    assert page.status_code == 200, "the browser that began is not harmed"


async def test_the_cookie_of_another_state_is_refused(browser: Browser, application: str, seller: Seller) -> None:
    first = await browser.consent(await browser.began(application), seller.seller_id)
    (name, nonce) = next(iter(browser.client.cookies.items()))
    second = await browser.consent(await browser.began(application), seller.seller_id)
    (other,) = set(browser.client.cookies) - {name}
    browser.client.cookies.delete(other)
    browser.client.cookies.set(other, nonce, domain="127.0.0.1", path="/")
    await refused(browser, second, "browser")
    browser.client.cookies.set(name, nonce, domain="127.0.0.1", path="/")
    assert (await browser.visit(first)).status_code == 200


async def test_another_users_bearer_token_is_refused(
    suite: Suite, browser: Browser, application: str, seller: Seller
) -> None:
    before = await stored(suite)
    back = await browser.consent(await browser.began(application), seller.seller_id)
    response = await browser.visit(back, authorization=f"Bearer {suite.jwt('u2')}")
    assert response.status_code == 400
    assert await stored(suite) == before


@pytest.mark.parametrize(
    "uri",
    [
        "https://evil.example/apps/authorize/confirm/x",
        "https://sellercentral.amazon.com.evil.example/apps/authorize/confirm/x",
        "https://evilsellercentral.amazon.com/apps/authorize/confirm/x",
        "https://sellercentral.amazon.com@evil.example/apps/authorize/confirm/x",
        "https://sellercentral.amazon.com:444/apps/authorize/confirm/x",
        "https://sellercentral.amazon.com\\.evil.example/apps/authorize/confirm/x",
        "https://sellercentral.amazon.com/redirect?to=https://evil.example",
        "https://sellercentral.amazon.com/apps/authorize/../../redirect",
        "https://sellercentral.amazon.com/apps/authorize/confirm/x?next=y",
        "https://sellercentral.amazon.com/apps/authorize/confirm/x#y",
        "http://sellercentral.amazon.com/apps/authorize/confirm/x",
        "https://sellercentral.amazon.cöm/apps/authorize/confirm/x",
        "//sellercentral.amazon.com/apps/authorize/confirm/x",
        "javascript:alert(1)",
        "{simulator}/apps/authorize/../redirect",
        "{simulator}/apps/authorize/confirm/x?next=y",
        "{simulator}.evil.example/apps/authorize/confirm/x",
        "{simulator}@evil.example/apps/authorize/confirm/x",
        " {simulator}/apps/authorize/confirm/x",
        "{simulator}/apps/authorize/confirm/x\n",
    ],
)
async def test_a_callback_that_is_not_amazons_is_refused(
    rest: Rest, browser: Browser, application: str, uri: str
) -> None:
    before, uri = await stored(rest.suite), uri.replace("{simulator}", rest.suite.simulator or "")
    given = {"amazonCallbackUri": uri, "amazonState": "s", "sellingPartnerId": "A1B2C3D4E5F6G7"}
    response = await browser.begin(application, **given)
    assert response.status_code == 400, response.text
    assert "amazonCallbackUri" in response.text
    assert "set-cookie" not in response.headers
    query = {"amazon_callback_uri": uri, "amazon_state": "s", "selling_partner_id": "A1B2C3D4E5F6G7"}
    page = await browser.client.get(rest.suite.edge + LOGIN, params=query)
    assert (page.status_code, "location" in page.headers) == (400, False)
    assert await stored(rest.suite) == before


async def test_a_callback_that_lacks_or_repeats_a_parameter(browser: Browser, application: str, seller: Seller) -> None:
    back = await browser.consent(await browser.began(application), seller.seller_id)
    for name in ("spapi_oauth_code", "selling_partner_id"):
        await refused(browser, changed(back, **{name: ""}), name)
    await refused(browser, f"{browser.suite.edge}{CALLBACK}", "state")
    wrong = {"selling_partner_id": "<script>alert(1)</script>"}
    page = await browser.visit(changed(back, **wrong))
    assert page.status_code == 400
    assert "<script>" not in page.text


async def test_another_seller_than_the_appstore_named_is_refused(
    suite: Suite, browser: Browser, application: str
) -> None:
    before = await stored(suite)
    callback = f"{suite.simulator}/apps/authorize/confirm/x"
    given = {"amazonCallbackUri": callback, "amazonState": "s", "sellingPartnerId": "A1NAMED234567"}
    state = query_of(await browser.began(application, **given))["state"]
    SEEN.add(state)
    query = {"state": state, "selling_partner_id": "A1OTHER234567", "spapi_oauth_code": "a-code-of-nobody"}
    url = f"{suite.edge}{CALLBACK}?{httpx.QueryParams(query)}"
    await refused(browser, url, "Appstore")
    assert await stored(suite) == before


async def test_an_authorization_without_a_user_is_refused(rest: Rest, application: str) -> None:
    body = {"applicationId": application, "marketplace": "US"}
    response = await rest.request("POST", AUTHORIZATIONS, user=None, json=body)
    assert response.status_code == 401
    assert "set-cookie" not in response.headers
