"""Callbacks that browsers repeat, that link scanners fetch first, and that an outage of LWA interrupts."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from redis.asyncio import Redis
from sellergate_devstack.suite import Suite

from tests.e2e.browsers import Browser, known_application, query_of, stored_state
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


async def back_from_amazon(browser: Browser, application: str, seller: Seller) -> str:
    return await browser.consent(await browser.began(application), seller.seller_id)


async def test_a_callback_that_is_repeated_shows_the_same_page(
    suite: Suite, browser: Browser, application: str, seller: Seller
) -> None:
    back = await back_from_amazon(browser, application, seller)
    pages = await asyncio.gather(*(browser.visit(back) for _ in range(3)))
    before = await stored_state(suite)
    pages += [await browser.visit(back) for _ in range(2)]
    assert {page.status_code for page in pages} == {200}, [page.text for page in pages]
    assert {page.text for page in pages} == {pages[0].text}
    assert f"{seller.seller_id} in US is connected" in pages[0].text
    assert await stored_state(suite) == before, "nothing was stored again"
    documents = [(await browser.visit(back, accept="application/json")).json() for _ in range(2)]
    assert documents[0] == documents[1]


async def test_a_browser_that_disconnects_finds_the_seller_connected_later(
    suite: Suite, browser: Browser, application: str, seller: Seller
) -> None:
    back = await back_from_amazon(browser, application, seller)
    with pytest.raises(httpx.TimeoutException):
        await browser.client.get(back, timeout=httpx.Timeout(5, read=0.001))
    page = await browser.visit(back)
    assert page.status_code == 200, page.text
    changes = [event for event in (await stored_state(suite))[1] if "account" in event]
    assert (await browser.visit(back)).text == page.text
    assert [event for event in (await stored_state(suite))[1] if "account" in event] == changes


async def test_a_link_scanner_without_the_cookie_does_not_use_up_the_callback(
    suite: Suite, browser: Browser, application: str, seller: Seller
) -> None:
    back = await back_from_amazon(browser, application, seller)
    before = await stored_state(suite)
    async with httpx.AsyncClient(trust_env=False, timeout=40) as scanner:
        for _ in range(3):
            page = await scanner.get(back)
            assert (page.status_code, "browser" in page.text) == (400, True)
            assert "set-cookie" not in page.headers
    assert (await browser.visit(back, authorization=f"Bearer {suite.jwt('u2')}")).status_code == 400
    assert await stored_state(suite) == before
    assert (await browser.visit(back)).status_code == 200


async def test_a_reload_completes_the_callback_after_an_outage_of_lwa(
    rest: Rest, browser: Browser, control: httpx.AsyncClient, application: str, seller: Seller
) -> None:
    suite = rest.suite
    back = await back_from_amazon(browser, application, seller)
    before = await stored_state(suite)
    fault = {"kind": "lwa_html", "operation": "refresh_token"}
    (await control.post("/control/faults", json=fault)).raise_for_status()
    try:
        page = await browser.visit(back)
    finally:
        (await control.request("DELETE", "/control/faults")).raise_for_status()
    assert (page.status_code, "AMAZON_UNAVAILABLE" in page.text) == (502, True), page.text
    assert "Reload this page" in page.text
    assert await stored_state(suite) == before
    async with Redis.from_url(suite.plan.redis_address) as redis:
        (kept,) = [key async for key in redis.scan_iter("state:*:progress")][-1:]
        assert "Atzr|" not in str(await redis.get(kept))
    page = await browser.visit(back)
    assert page.status_code == 200, page.text
    status = await rest.request(
        "GET", "/api/amazon/test/status", params={"amazonAccountId": await account_id(browser, back)}
    )
    assert status.json()["stages"][1]["outcome"] == "OK"


async def test_a_prefetched_interrupted_and_repeated_callback_connects_one_account_once(
    rest: Rest, browser: Browser, control: httpx.AsyncClient, application: str, seller: Seller
) -> None:
    suite = rest.suite
    back = await back_from_amazon(browser, application, seller)
    accounts, changes = await stored_state(suite)
    async with httpx.AsyncClient(trust_env=False, timeout=40) as scanner:
        assert (await scanner.get(back)).status_code == 400
        # The code is redeemed, and its refresh token cannot be exchanged.
        fault = {"kind": "lwa_html", "operation": "refresh_token"}
        (await control.post("/control/faults", json=fault)).raise_for_status()
        try:
            cut = await asyncio.gather(*(browser.visit(back) for _ in range(2)))
        finally:
            (await control.request("DELETE", "/control/faults")).raise_for_status()
        assert all(page.is_server_error for page in cut), [page.text for page in cut]
        assert await stored_state(suite) == (accounts, changes), "nothing is half done"
        assert (await scanner.get(back)).status_code == 400
    pages = [*await asyncio.gather(*(browser.visit(back) for _ in range(3))), await browser.visit(back)]
    assert {(page.status_code, page.text) for page in pages} == {(200, pages[0].text)}
    assert f"{seller.seller_id} in US is connected" in pages[0].text
    now, changed = await stored_state(suite)
    (connected,) = [account for account_id, account in now.items() if account_id not in accounts]
    assert connected.amazon_seller_id == seller.seller_id
    assert sum("account" in event for event in set(changed) - set(changes)) == 1
    status = await rest.request("GET", "/api/amazon/test/status", params={"amazonAccountId": connected.account_id})
    assert status.json()["stages"][1]["outcome"] == "OK"


async def account_id(browser: Browser, back: str) -> str:
    return str((await browser.visit(back, accept="application/json")).json()["id"])


async def test_many_authorizations_of_one_browser_leave_five_cookies(
    suite: Suite, browser: Browser, application: str, seller: Seller
) -> None:
    urls = [await browser.began(application) for _ in range(12)]
    assert len(browser.client.cookies) == 5
    newest = await browser.visit(await browser.consent(urls[-1], seller.seller_id))
    assert newest.status_code == 200
    oldest = await browser.visit(await browser.consent(urls[0], seller.seller_id))
    assert (oldest.status_code, "browser" in oldest.text) == (400, True)
    assert query_of(urls[0])["state"] not in oldest.text
