"""The console in Debian's Chromium: a seller is connected by a click, and a picture is taken of every state."""

import asyncio
import json
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Browser, Route
from sellergate_common.rpc.channel import invoke, open_channel
from sellergate_devstack.demo import run_demo
from sellergate_devstack.prepare import prepare
from sellergate_devstack.settings import DevstackSettings
from sellergate_devstack.suite import Suite, running_suite

from tests.e2e.conftest import OPERATOR, Rest, ephemeral_ports
from tests.system.conftest import Need
from tests.system.console import MOST_SHIFT, WATCH_SHIFTS, WIDTHS, Console, browser, console

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
async def suite(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Suite, str]]:
    folder: Path = tmp_path_factory.mktemp("console")
    settings = DevstackSettings(state_dir=folder, simulator="on", **ephemeral_ports())
    async with AsyncExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SELLERGATE_OPERATOR_USERS", OPERATOR)
            running = await stack.enter_async_context(running_suite(settings, lambda _: None))
        account_id = await run_demo(running, lambda _: None)
        await prepare(running, account_id)
        yield running, account_id


@pytest.fixture(scope="module")
async def chromium() -> AsyncIterator[Browser]:
    if not shutil.which("chromium"):
        yield None  # type: ignore[misc]  # (each test reports it)
        return
    async with browser() as running:
        yield running


@pytest.fixture
async def window(need: Need, suite: tuple[Suite, str], chromium: Browser) -> AsyncIterator[Console]:
    need.program("chromium")
    async with console(chromium, suite[0].edge) as opened:
        yield opened


async def test_signing_in_by_hand_and_by_keyboard(window: Console, suite: tuple[Suite, str]) -> None:
    page, token = window.page, suite[0].jwt("nobody-yet")
    await page.goto(window.edge)
    await page.get_by_role("heading", name="Sign in").wait_for()
    await window.picture("sign-in")
    await page.keyboard.type("nonsense")
    await page.keyboard.press("Enter")
    await page.get_by_text("This is no token").wait_for()
    await window.picture("sign-in-refused")
    await page.get_by_label("Token").fill(token[:-4] + "AAAA")
    await page.keyboard.press("Enter")
    await page.get_by_text("The token is not accepted").wait_for()
    await page.get_by_label("Token").fill(token)
    await page.keyboard.press("Enter")
    await page.get_by_text("No seller is connected yet").wait_for()
    await window.picture("empty")
    assert token not in await page.content()
    await page.get_by_role("button", name="Sign out").click()
    await page.get_by_role("heading", name="Sign in").wait_for()
    await page.reload()
    await page.get_by_role("heading", name="Sign in").wait_for()


async def test_a_link_with_a_token_replaces_no_session(window: Console, suite: tuple[Suite, str]) -> None:
    running, page = suite[0], window.page
    user, link = running.demo.user_id, f"{window.edge}/#token={running.jwt('another-user')}"
    await window.sign_in(running.jwt(user))
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.headers.get("authorization", "")))
    # The link of an open page changes only the fragment; opened in a new page it loads the page.
    for follow in (page.evaluate(f"location.href = {json.dumps(link)}"), page.goto("about:blank")):
        await follow
        if page.url == "about:blank":
            await page.goto(link)
        await page.get_by_text(f"token was not used: you are signed in as {user}").wait_for()
        assert "token" not in page.url
        assert await page.locator("#user").inner_text() == user
        assert not await page.locator("#link-dialog").is_visible()
    await page.reload()
    await page.get_by_role("link", name=running.demo.seller_id).wait_for()
    own = f"Bearer {await page.evaluate('sessionStorage.getItem(`sellergate-token`)')}"
    assert {one for one in sent if one} == {own}


async def test_a_link_with_a_token_is_accepted_only_for_the_user_that_it_names(
    window: Console, suite: tuple[Suite, str]
) -> None:
    running, page = suite[0], window.page
    link = f"{window.edge}/#token={running.jwt('another-user')}"
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.headers.get("authorization", "")))
    await page.goto(link)
    dialog = page.get_by_role("dialog", name="Sign in by this link?")
    await dialog.get_by_text("another-user").wait_for()
    await window.picture("link")
    await page.keyboard.press("Enter")  # the focused element is not the consent
    await page.get_by_role("heading", name="Sign in").wait_for()
    assert not await dialog.is_visible()
    assert not any(sent)
    assert await page.evaluate("sessionStorage.length") == 0
    await page.goto("about:blank")
    await page.goto(link)
    await window.confirm_link()
    await page.get_by_text("No seller is connected yet").wait_for()
    assert await page.locator("#user").inner_text() == "another-user"


async def test_a_seller_is_connected_by_a_click(window: Console, suite: tuple[Suite, str]) -> None:
    running, page = suite[0], window.page
    other = f"A{running.demo.seller_id[:0:-1]}"
    await window.sign_in(running.jwt(running.demo.user_id))
    assert "token" not in page.url
    await page.get_by_role("button", name="Connect a seller").click()
    await page.get_by_role("dialog").wait_for()
    await window.picture("connect")
    await page.get_by_role("dialog").get_by_label("Marketplace").select_option("US")
    await page.get_by_role("button", name="Continue at Amazon").click()
    await page.get_by_role("heading", name="Authorize").wait_for()
    await page.get_by_role("combobox").select_option(other)
    await page.get_by_role("button", name="Authorize").click()
    await page.get_by_text("The seller is connected.").wait_for()
    await page.get_by_role("heading", name=f"{other} · US").wait_for()
    assert re.fullmatch(f"{window.edge}/console/sellers/[0-9a-f-]+", page.url)
    assert await page.locator("#detail-state").inner_text() == "Active"
    await page.get_by_text("364 days left").first.wait_for()
    await page.locator(".quotas li").nth(9).wait_for()
    await window.picture("connected")


async def test_the_checks_and_the_quota_bars_that_move(window: Console, suite: tuple[Suite, str]) -> None:
    running, page = suite[0], window.page
    await window.sign_in(running.jwt(running.demo.user_id))
    await page.get_by_role("link", name=running.demo.seller_id).click()
    await page.get_by_role("button", name="Check the status").click()
    # The local run has exchanged the demo seller's refresh token a moment ago.
    await page.get_by_role("heading", name=re.compile("It works|The call works")).wait_for()
    await page.get_by_role("button", name="Check the orders").click()
    await page.get_by_role("heading", name="orders of the last 7 days").wait_for()
    rows = await page.locator(".stages li").all_inner_texts()
    assert [row.split()[0] for row in rows] == ["stored", "token", "role", "call"]
    assert all("ms" in row for row in rows)
    await window.picture("checked")
    bar = page.get_by_role("meter", name="orders/2026-01-01/searchOrders")
    before = int(await bar.get_attribute("aria-valuenow") or 0)
    await page.get_by_role("button", name="Check the orders").click()
    for _ in range(40):
        if int(await bar.get_attribute("aria-valuenow") or 0) < before:
            break
        await asyncio.sleep(0.25)
    else:
        pytest.fail("the bar did not move")


@pytest.mark.parametrize("width", WIDTHS)
async def test_the_page_of_a_seller_does_not_shift(window: Console, suite: tuple[Suite, str], width: int) -> None:
    page, (running, account_id) = window.page, suite
    await page.set_viewport_size({"width": width, "height": WIDTHS[width]})
    await window.sign_in(running.jwt(running.demo.user_id))
    await page.add_init_script(f"({WATCH_SHIFTS})()")
    await page.goto(f"{window.edge}/console/sellers/{account_id}")
    for rows in (".quotas li", ".audit li", ".clients li"):
        await page.locator(rows).first.wait_for()
    await page.get_by_text("Website consent").wait_for()
    await asyncio.sleep(1)
    assert sum(await page.evaluate("window.shifts")) < MOST_SHIFT


async def test_recent_calls_of_every_program(window: Console, suite: tuple[Suite, str]) -> None:
    (running, account_id), page = suite, window.page
    await window.sign_in(running.jwt(running.demo.user_id))
    await page.goto(f"{window.edge}/console/sellers/{account_id}")
    card = page.get_by_role("region", name="Recent calls").first
    await card.get_by_text("only while they are captured").wait_for()
    await card.get_by_role("button", name="Capture calls for 10 minutes").click()
    await card.get_by_text("Calls of every program are captured until").wait_for()
    assert await page.evaluate("document.activeElement.textContent") == "Stop the capture"
    async with httpx.AsyncClient(base_url=running.edge, timeout=30, trust_env=False) as client:
        api = Rest(running, client)
        path = f"/api/amazon/accounts/{account_id}/sp-api"
        for call in ("catalog/2022-04-01/items", "orders/v0/orders?MarketplaceIds=ATVPDKIKX0DER"):
            await api.request("GET", f"{path}/{call}", running.demo.user_id)
    await card.get_by_text("GET searchCatalogItems").wait_for()
    await card.get_by_text("GET getOrders").click()
    await card.locator("details[open]").get_by_text("MarketplaceIds").wait_for()
    assert "ATVPDKIKX0DER" not in await card.inner_text(), "values of queries are not shown"
    await window.picture("captured")
    await page.reload()
    await card.get_by_text("GET getOrders").wait_for()
    await card.get_by_role("button", name="Stop the capture").click()
    await card.get_by_text("The capture has ended.").wait_for()
    await card.get_by_role("button", name="Capture calls for 10 minutes").wait_for()


async def test_the_audit_trail(window: Console, suite: tuple[Suite, str]) -> None:
    (running, account_id), page = suite, window.page
    await window.sign_in(running.jwt(running.demo.user_id))
    await page.goto(f"{window.edge}/console/sellers/{account_id}")
    trail = page.get_by_role("region", name="Audit trail").first
    await trail.get_by_role("listitem").first.wait_for()
    before = await trail.get_by_text("Calls captured").count()
    await page.get_by_role("button", name="Capture calls for 10 minutes").click()
    await trail.get_by_text("Calls captured").nth(before).wait_for()
    assert "you" in await trail.inner_text()
    await page.get_by_role("button", name="Stop the capture").click()
    await window.picture("audit")


async def test_an_operator_sees_the_sellers_of_all_users(window: Console, suite: tuple[Suite, str]) -> None:
    (running, account_id), page = suite, window.page
    owner, seller = running.demo.user_id, running.demo.seller_id
    await window.sign_in(running.jwt(OPERATOR))
    await page.get_by_role("link", name="All users").click()
    row = page.get_by_role("row").filter(has=page.get_by_role("link", name=seller))
    await row.get_by_text(owner).wait_for()
    await window.picture("operator")
    await page.get_by_label("User", exact=True).fill("another-user-without-sellers")
    await page.get_by_role("heading", name="No seller matches").wait_for()
    await page.get_by_label("User", exact=True).fill(owner)
    await row.wait_for()
    assert f"user={owner}" in page.url
    await page.reload()
    await row.get_by_role("link", name=seller).click()
    await page.get_by_role("heading", name=seller).wait_for()
    await page.get_by_role("region", name="Audit trail").get_by_role("listitem").first.wait_for()
    assert page.url == f"{window.edge}/console/operator/{account_id}"
    assert await page.get_by_role("button", name="Disconnect").count() == 0
    await window.picture("operator-seller")
    await page.go_back()
    await row.wait_for()


async def test_another_user_sees_no_page_of_all_users(window: Console, suite: tuple[Suite, str]) -> None:
    (running, account_id), page = suite, window.page
    await window.sign_in(running.jwt(running.demo.user_id))
    await page.get_by_role("link", name=running.demo.seller_id).wait_for()
    assert not await page.get_by_role("link", name="All users").is_visible()
    for address in ("", f"/{account_id}"):
        await page.goto(f"{window.edge}/console/operator{address}")
        await page.get_by_text("Only operators see accounts of other users").wait_for()


async def test_throttled(window: Console, suite: tuple[Suite, str]) -> None:
    (running, account_id), page = suite, window.page
    async with httpx.AsyncClient(base_url=running.edge, timeout=30, trust_env=False) as client:
        path = f"/api/amazon/accounts/{account_id}/sp-api/sellers/v1/marketplaceParticipations"
        for _ in range(20):
            response = await Rest(running, client).request("GET", path, running.demo.user_id)
            if response.status_code == 429:
                break
    await window.sign_in(running.jwt(running.demo.user_id))
    await page.get_by_role("link", name=running.demo.seller_id).click()
    await page.get_by_text("No call is left for now: getMarketplaceParticipations").wait_for()
    await window.picture("throttled")


async def test_loading_and_an_edge_that_fails(window: Console, suite: tuple[Suite, str]) -> None:
    running, page = suite[0], window.page
    let_go = asyncio.Event()

    async def slow(route: Route) -> None:
        await let_go.wait()
        problem = {
            "reason": "DEPENDENCY_UNAVAILABLE",
            "detail": "The account service cannot be reached.",
            "requestId": "r-1",
        }
        await route.fulfill(status=503, content_type="application/problem+json", body=json.dumps(problem))

    await page.route("**/api/amazon/accounts?*", slow)
    await page.goto(f"{window.edge}/#token={running.jwt(running.demo.user_id)}")
    await window.confirm_link()
    await page.get_by_text("Loading the sellers").wait_for()
    await window.picture("loading")
    let_go.set()
    await page.get_by_role("heading", name="The sellers cannot be shown").wait_for()
    await window.picture("error")
    await page.unroute("**/api/amazon/accounts?*")
    await page.get_by_role("button", name="Try again").click()
    await page.get_by_role("link", name=running.demo.seller_id).wait_for()


async def test_disconnecting_and_a_withdrawn_consent(window: Console, suite: tuple[Suite, str]) -> None:
    running, page = suite[0], window.page
    user = running.demo.user_id
    other = f"A{running.demo.seller_id[:0:-1]}"
    async with httpx.AsyncClient(base_url=running.simulator or "", trust_env=False) as control:
        token = running.demo.refresh_token.get_secret_value()
        response = await control.post("/control/secrets/revoke-grant", json={"refresh_token": token})
        response.raise_for_status()
    async with open_channel(running.target("token"), "token", running.identity("operator"), []) as channel:
        from sellergate.token.v1 import token_service_pb2, token_service_pb2_grpc

        stub = token_service_pb2_grpc.TokenServiceStub(channel)
        await invoke(stub.ClearTokenCache, token_service_pb2.ClearTokenCacheRequest(), dependency="token")
    await window.sign_in(running.jwt(user))
    await page.get_by_role("link", name=running.demo.seller_id).click()
    await page.get_by_role("button", name="Check the status").click()
    await page.get_by_role("heading", name="It does not work").wait_for()
    await page.get_by_text("Amazon refuses this seller's authorization").wait_for()
    assert await page.locator("#detail-state").inner_text() == "Revoked"
    await window.picture("revoked")
    async with httpx.AsyncClient(base_url=running.simulator or "", trust_env=False) as control:
        # The seller gives consent again, and Amazon the same refresh token.
        granted = json.loads(running.demo.seed(running.callback_url, running.plan.login_url))
        (await control.post("/control/seed", json=granted)).raise_for_status()
    verify = page.get_by_role("button", name="Verify it again")
    await verify.click()
    verdict = page.get_by_role("heading", name=re.compile("It works|It does not work"))
    await verdict.wait_for()
    # Amazon refused the account within the last minute, and a verification calls Amazon at most once a minute.
    async with asyncio.timeout(90):
        while await verdict.inner_text() != "It works":
            await page.get_by_text("verify the account later").wait_for()
            await asyncio.sleep(5)
            await verify.click()
            await verdict.wait_for()
    await verify.wait_for(state="hidden")
    assert await page.locator("#detail-state").inner_text() == "Active"
    await window.picture("verified")

    await page.get_by_role("link", name="Sellers", exact=True).first.click()
    await page.get_by_role("link", name=other).click()
    await page.get_by_role("button", name="Disconnect").click()
    await page.get_by_role("heading", name="Disconnect this seller?").wait_for()
    await window.picture("disconnect")
    await page.get_by_role("button", name="Keep it").click()
    await page.get_by_role("button", name="Disconnect").click()
    await page.get_by_role("dialog").get_by_role("button", name="Disconnect").click()
    await page.get_by_text("The seller is disconnected.").wait_for()
    assert await page.locator("#detail-state").inner_text() == "Disconnected"
    await window.picture("disconnected")


async def test_refusals_of_an_authorization_are_pages_that_a_person_understands(
    window: Console, suite: tuple[Suite, str]
) -> None:
    page = window.page
    for name, query in {
        "unknown-state": "state=made-up&selling_partner_id=A1B2C3D4E5F6G7&spapi_oauth_code=x",
        "incomplete": "state=x",
    }.items():
        await page.goto(f"{window.edge}/api/amazon/oauth/callback?{query}")
        await page.get_by_role("heading", name="The seller was not connected").wait_for()
        await window.picture(f"refused-{name}")
    await page.get_by_role("link", name="To the console").click()
    await page.get_by_role("heading", name="Sign in").wait_for()


async def test_a_seller_from_the_appstore_must_confirm(window: Console, suite: tuple[Suite, str]) -> None:
    running, page = suite[0], window.page
    await window.sign_in(running.jwt(running.demo.user_id))
    partner = f"A{running.demo.seller_id[:0:-1]}"
    await page.goto(f"{running.simulator}/apps/appstore/amzn1.sp.solution.demo?selling_partner_id={partner}")
    await page.get_by_text(f"The Appstore sends the seller {partner}").wait_for()
    assert "amazon_state" not in page.url
    await window.picture("appstore")
    await page.get_by_role("button", name="Continue at Amazon").click()
    await page.get_by_text("The seller is connected.").wait_for()
