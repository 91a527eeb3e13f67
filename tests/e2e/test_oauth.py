"""The website authorization as browsers follow it: both entries, sellers and vendors, drafts, and a renewal."""

import secrets
import time
from collections.abc import AsyncIterator

import httpx
import pytest
from sellergate.account.v1 import account_pb2, account_secrets_service_pb2
from sellergate.account.v1.account_secrets_service_pb2_grpc import AccountSecretsServiceStub
from sellergate_common.rpc.channel import invoke, open_channel
from sellergate_devstack.suite import Suite

from tests.e2e.browsers import CALLBACK, SEEN, Browser, changed, known_application, query_of, stored_state
from tests.e2e.conftest import Rest
from tests.e2e.sellers import Seller

YEAR = 365 * 24 * 3600


@pytest.fixture
async def browser(suite: Suite) -> AsyncIterator[Browser]:
    opened = Browser(suite)
    async with opened.client:
        yield opened


async def account_of(suite: Suite, user: str, seller_id: str) -> account_pb2.Account:
    accounts, _ = await stored_state(suite)
    (found,) = (one for one in accounts.values() if (one.user_id, one.amazon_seller_id) == (user, seller_id))
    return found


async def refresh_token_of(suite: Suite, account_id: str) -> str:
    """Return the stored refresh token, as the token service reads it."""
    async with open_channel(suite.target("account"), "account", suite.identity("token"), []) as channel:
        request = account_secrets_service_pb2.GetAccountSecretsRequest(account_id=account_id)
        opened = await invoke(AccountSecretsServiceStub(channel).GetAccountSecrets, request, dependency="account")
        return str(opened.refresh_token)


async def test_a_seller_consents_and_is_connected_and_its_token_works(
    rest: Rest, browser: Browser, control: httpx.AsyncClient, seller: Seller
) -> None:
    application = await known_application(rest.suite, control, seller)
    response = await browser.begin(application)
    assert list(response.json()) == ["url"]
    url = response.json()["url"]
    assert url.startswith(f"{rest.suite.simulator}/apps/authorize/consent?")
    assert set(query_of(url)) == {"application_id", "state", "redirect_uri"}
    (cookie,) = response.headers.get_list("set-cookie")
    assert cookie.startswith("sellergate-oauth-")
    assert {"HttpOnly", "SameSite=lax", "Max-Age=600", "Path=/"} <= set(cookie.split("; "))
    assert "Domain" not in cookie
    back = await browser.visit(await browser.consent(url, seller.seller_id) + "&mws_auth_token=amzn.mws.x")
    assert (back.status_code, back.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert f"{seller.seller_id} in US is connected" in back.text
    assert (back.headers["referrer-policy"], back.headers["cache-control"]) == ("no-referrer", "no-store")
    assert back.headers["content-security-policy"].startswith("default-src 'none'")
    (kept,) = back.headers.get_list("set-cookie")
    assert kept == cookie, "a reload finds the same page for as long as before"
    account = await account_of(rest.suite, "u1", seller.seller_id)
    assert (account.application_id, account.state) == (application, account_pb2.ACCOUNT_STATE_ACTIVE)
    assert abs(account.authorization_expire_time.seconds - time.time() - YEAR) < 60
    status = await rest.request("GET", "/api/amazon/test/status", params={"amazonAccountId": account.account_id})
    assert status.json()["stages"][1]["outcome"] == "OK"


async def test_a_vendor_consents_in_vendor_central_and_is_identified_by_its_group(
    rest: Rest, browser: Browser, control: httpx.AsyncClient, seller: Seller
) -> None:
    application = await known_application(rest.suite, control, seller)
    vendor = f"amzn1.vg.{secrets.randbelow(10**9)}"
    sellers = [{"selling_partner_id": vendor, "marketplace_ids": [seller.marketplace_id]}]
    (await control.post("/control/seed", json={"sellers": sellers})).raise_for_status()
    url = await browser.began(application, "DE", partnerType="VENDOR")
    back = await browser.visit(await browser.consent(url, vendor), accept="application/json")
    assert back.status_code == 200
    assert (back.json()["amazonSellerId"], back.json()["marketplace"]) == (vendor, "DE")
    assert "refreshToken" not in back.json()
    nowhere = await browser.begin(application, "ZA", partnerType="VENDOR")
    assert (nowhere.status_code, nowhere.json()["violations"][0]["field"]) == (400, "marketplace")


@pytest.mark.parametrize("draft", [False, True])
async def test_an_authorization_begins_in_the_appstore(
    rest: Rest, browser: Browser, control: httpx.AsyncClient, seller: Seller, draft: bool
) -> None:
    application = await known_application(rest.suite, control, seller, draft=draft)
    store = f"{rest.suite.simulator}/apps/appstore/amzn1.sp.solution.{seller.seller_id}"
    entry = await browser.sent_by(f"{store}?selling_partner_id={seller.seller_id}")
    page = await browser.visit(entry)
    assert page.status_code == 303
    query = query_of(page.headers["location"])
    assert page.headers["location"].startswith(f"{rest.suite.edge}/?")
    assert set(query) == {"amazon_callback_uri", "amazon_state", "selling_partner_id"}
    url = await browser.began(
        application,
        amazonCallbackUri=query["amazon_callback_uri"],
        amazonState=query["amazon_state"],
        sellingPartnerId=query["selling_partner_id"],
    )
    assert url.startswith(f"{query['amazon_callback_uri']}?")
    assert query_of(url).get("version") == ("beta" if draft else None)
    back = await browser.visit(await browser.sent_by(url))
    assert back.status_code == 200, back.text
    assert (await account_of(rest.suite, "u1", seller.seller_id)).application_id == application


async def test_a_draft_is_authorized_from_sellergates_page_with_version_beta(
    suite: Suite, browser: Browser, control: httpx.AsyncClient, seller: Seller
) -> None:
    application = await known_application(suite, control, seller, draft=True)
    url = await browser.began(application)
    assert query_of(url)["version"] == "beta"
    without = await browser.client.get(url.replace("&version=beta", ""))
    assert "MD1000" in without.text
    assert (await browser.visit(await browser.consent(url, seller.seller_id))).status_code == 200


async def test_a_renewal_replaces_the_token_only_after_the_new_one_has_worked(
    rest: Rest, browser: Browser, control: httpx.AsyncClient, seller: Seller
) -> None:
    suite = rest.suite
    application = await known_application(suite, control, seller)
    await browser.visit(await browser.consent(await browser.began(application), seller.seller_id))
    first = await account_of(suite, "u1", seller.seller_id)
    old = await refresh_token_of(suite, first.account_id)
    before = await stored_state(suite)
    wanted = {"client_id": seller.client_id, "selling_partner_id": seller.seller_id, "withdrawn": True}
    code = (await control.post("/control/authorization-codes", json=wanted)).json()["code"]
    SEEN.add(code)
    state = query_of(await browser.began(application))["state"]
    query = {"state": state, "selling_partner_id": seller.seller_id, "spapi_oauth_code": code}
    failed = await browser.visit(f"{suite.edge}{CALLBACK}?{httpx.QueryParams(query)}")
    assert (failed.status_code, "AUTHORIZATION_REVOKED" in failed.text) == (401, True)
    assert await stored_state(suite) == before
    assert await refresh_token_of(suite, first.account_id) == old
    params = {"amazonAccountId": first.account_id}
    assert (await rest.request("GET", "/api/amazon/test/status", params=params)).json()["stages"][1]["outcome"] == "OK"

    revoke = {"refresh_token": old, "access_tokens": True}
    (await control.post("/control/secrets/revoke-grant", json=revoke)).raise_for_status()
    await rest.request("DELETE", f"/api/amazon/accounts/{first.account_id}")
    await browser.visit(await browser.consent(await browser.began(application), seller.seller_id))
    renewed = await account_of(suite, "u1", seller.seller_id)
    assert (renewed.account_id, renewed.state) == (first.account_id, account_pb2.ACCOUNT_STATE_ACTIVE)
    assert renewed.revision > first.revision
    assert await refresh_token_of(suite, first.account_id) != old
    assert (await rest.request("GET", "/api/amazon/test/status", params=params)).json()["stages"][1]["outcome"] == "OK"


async def test_several_tabs_of_one_browser_do_not_interfere(
    suite: Suite, browser: Browser, control: httpx.AsyncClient, seller: Seller
) -> None:
    application = await known_application(suite, control, seller)
    urls = [await browser.began(application, code) for code in ("US", "CA", "MX")]
    assert len(browser.client.cookies) == 3
    for url in reversed(urls):
        assert (await browser.visit(await browser.consent(url, seller.seller_id))).status_code == 200
        assert len(browser.client.cookies) == 3


async def test_another_users_account_of_the_seller_is_not_changed(
    suite: Suite, browser: Browser, control: httpx.AsyncClient, seller: Seller
) -> None:
    application = await known_application(suite, control, seller)
    await browser.visit(await browser.consent(await browser.began(application), seller.seller_id))
    before = await account_of(suite, "u1", seller.seller_id)
    token = await refresh_token_of(suite, before.account_id)
    other = Browser(suite, "u2")
    async with other.client:
        back = await other.visit(await other.consent(await other.began(application), seller.seller_id))
    assert back.status_code == 200
    assert (await account_of(suite, "u2", seller.seller_id)).account_id != before.account_id
    assert await account_of(suite, "u1", seller.seller_id) == before
    assert await refresh_token_of(suite, before.account_id) == token


async def test_a_callback_with_a_bearer_token_must_belong_to_its_user(
    suite: Suite, browser: Browser, control: httpx.AsyncClient, seller: Seller
) -> None:
    application = await known_application(suite, control, seller)
    for user, status in (("u2", 400), ("u1", 200)):
        back = await browser.consent(await browser.began(application), seller.seller_id)
        response = await browser.visit(back, authorization=f"Bearer {suite.jwt(user)}")
        assert response.status_code == status, response.text
    assert (await browser.visit(changed(back, state="x"), authorization="Bearer x")).status_code == 401
