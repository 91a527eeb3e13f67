"""Sign-in to the console in Debian's Chromium at npm's oidc-provider: fixation, forged requests, logout, expiry, two tabs."""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, BrowserContext, Page, Request
from sellergate_devstack.processes.ports import free_ports
from sellergate_devstack.processes.probes import http_serves
from sellergate_devstack.processes.supervisor import Process, Supervisor

from tests.e2e.conftest import Rest
from tests.paths import ROOT
from tests.system.conftest import Need
from tests.system.console import browser

pytestmark = pytest.mark.timeout(400)
PACKAGE = "oidc-provider@9.13.3"
BACK = "/console/signed-in"


@pytest.fixture(scope="module")
async def edge(tmp_path_factory: pytest.TempPathFactory, rest: Rest) -> AsyncIterator[str]:
    """Run a provider, and an edge whose console signs users in there; yield an empty URL where a tool is missing."""
    if not all(shutil.which(tool) for tool in ("node", "npm", "chromium")):
        yield ""
        return
    folder = tmp_path_factory.mktemp("oidc")
    subprocess.run(["npm", "install", "--silent", "--prefix", str(folder), PACKAGE], check=True, timeout=200)
    provider_port, edge_port = free_ports(2)
    issuer, url = f"http://localhost:{provider_port}", f"http://localhost:{edge_port}"
    provider = {
        "PATH": os.environ["PATH"],
        "OIDC_MODULE": str(folder / "node_modules" / "oidc-provider" / "lib" / "index.js"),
        "OIDC_PORT": str(provider_port),
        "OIDC_REDIRECT": f"{url}{BACK}",
        "OIDC_HOME": f"{url}/",
    }
    known = dict(rest.suite.supervisor.processes["edge"].environment)
    known.pop("SELLERGATE_JWT_SECRET_FILE", None)
    own = known | {
        "SELLERGATE_EDGE_PORT": str(edge_port),
        "SELLERGATE_PUBLIC_URL": url,
        "SELLERGATE_JWT_ISSUER": issuer,
        "SELLERGATE_JWT_AUDIENCE": "console",
        "SELLERGATE_JWKS_URL": f"{issuer}/jwks",
        "SELLERGATE_SIGN_IN_CLIENT_ID": "console",
    }
    supervisor = Supervisor(lambda _: None)
    try:
        discovers = http_serves(f"{issuer}/.well-known/openid-configuration")
        script = [shutil.which("node") or "node", str(ROOT / "tests" / "sdks" / "oidc_provider.mjs")]
        await supervisor.start(Process("provider", script, provider, folder / "provider.log", discovers))
        command, responses = [sys.executable, "-m", "sellergate_edge"], http_serves(f"{url}/console/icon.svg")
        await supervisor.start(Process("edge-oidc", command, own, folder / "edge.log", responses))
        yield url
        assert "eyJ" not in Path(folder / "edge.log").read_text()
    finally:
        await supervisor.stop()


@pytest.fixture(scope="module")
async def chromium(edge: str) -> AsyncIterator[Browser | None]:
    if not edge:
        yield None
        return
    async with browser() as running:
        yield running


@asynccontextmanager
async def person(need: Need, chromium: Browser | None) -> AsyncIterator[BrowserContext]:
    """Open a person's browser; a violation of its pages' policy fails the test."""
    for tool in ("node", "npm", "chromium"):
        need.program(tool)
    assert chromium is not None
    errors: list[str] = []
    context = await chromium.new_context()
    context.set_default_timeout(60_000)
    context.on("weberror", lambda error: errors.append(str(error.error)))
    context.on("console", lambda line: errors.append(line.text) if "Content Security Policy" in line.text else None)
    try:
        yield context
    finally:
        await context.close()
    assert errors == []


async def sign_in(page: Page, edge: str, user: str) -> None:
    await page.goto(edge)
    await page.get_by_role("button", name="Sign in at your company's provider").click()
    await at_provider(page, user)
    await page.get_by_text("No seller is connected yet").wait_for()
    assert await page.locator("#user").inner_text() == user
    assert page.url == f"{edge}/"


async def at_provider(page: Page, user: str) -> None:
    await page.get_by_placeholder("Enter any login").fill(user)
    await page.get_by_placeholder("and password").fill("any")
    await page.get_by_role("button", name="Sign-in").click()
    await page.get_by_role("button", name="Continue").click()


async def test_a_person_signs_in_and_out(need: Need, chromium: Browser | None, edge: str) -> None:
    async with person(need, chromium) as context:
        page = await context.new_page()
        await sign_in(page, edge, "anna")
        await page.reload()
        await page.get_by_text("No seller is connected yet").wait_for()
        # No cookie of the edge's: a forged request of another site carries nothing.
        assert not [cookie for cookie in await context.cookies(edge) if "sellergate" in cookie["name"]]
        await page.get_by_role("button", name="Sign out").click()
        await page.get_by_role("button", name="Yes, sign me out").click()
        await page.wait_for_url(f"{edge}/")
        await page.get_by_role("heading", name="Sign in").wait_for()
        assert await page.evaluate("sessionStorage.length") == 0
        # The provider's session has ended as well: it shows its form again.
        await page.get_by_role("button", name="Sign in at your company's provider").click()
        await page.get_by_placeholder("Enter any login").wait_for()


async def test_a_link_of_another_person_signs_no_user_in(need: Need, chromium: Browser | None, edge: str) -> None:
    async with person(need, chromium) as attacker, person(need, chromium) as victim:
        link: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        def keep(request: Request) -> None:
            if f"{BACK}?" in request.url and not link.done():
                link.set_result(request.url)

        page = await attacker.new_page()
        page.on("request", keep)
        # The code stays unused.
        await page.route("**/api/sign-in/complete", lambda route: route.abort())
        await page.goto(edge)
        await page.get_by_role("button", name="Sign in at your company's provider").click()
        await at_provider(page, "mallory")
        stolen = await asyncio.wait_for(link, 60)
        assert "code=" in stolen

        opened = await victim.new_page()
        await opened.goto(stolen)
        await opened.get_by_text("This sign-in was not begun in this tab").wait_for()
        assert "code=" not in opened.url
        assert await opened.evaluate("sessionStorage.length") == 0
        # Nor where the victim has begun a sign-in, or has a session.
        await opened.get_by_role("button", name="Sign in at your company's provider").click()
        await opened.get_by_placeholder("Enter any login").wait_for()
        await opened.goto(stolen)
        await opened.get_by_text("This sign-in was not begun in this tab").wait_for()
        await sign_in(opened, edge, "vera")
        await opened.goto(stolen)
        await opened.get_by_text("No seller is connected yet").wait_for()
        assert await opened.locator("#user").inner_text() == "vera"


async def test_two_tabs_sign_in_apart_and_out_together(need: Need, chromium: Browser | None, edge: str) -> None:
    async with person(need, chromium) as context:
        first, second = await context.new_page(), await context.new_page()
        for page in (first, second):
            await page.goto(edge)
            await page.get_by_role("button", name="Sign in at your company's provider").click()
            await page.get_by_placeholder("Enter any login").wait_for()
        await at_provider(first, "anna")
        await first.get_by_text("No seller is connected yet").wait_for()
        await sign_in_again(second, edge)
        await second.get_by_text("No seller is connected yet").wait_for()
        await first.get_by_role("button", name="Sign out").click()
        await second.get_by_text("You signed out in another tab").wait_for()
        assert await second.evaluate("sessionStorage.length") == 0


async def sign_in_again(page: Page, edge: str) -> None:
    """Sign in again; the provider has a session of the user, and may require only consent."""
    await page.goto(edge)
    await page.get_by_role("button", name="Sign in at your company's provider").click()
    await page.wait_for_url(f"{edge}/")


async def test_a_session_ends_with_its_token(need: Need, chromium: Browser | None, edge: str) -> None:
    async with person(need, chromium) as context:
        page = await context.new_page()
        await page.clock.install()
        await sign_in(page, edge, "anna")
        await page.clock.fast_forward("02:00:00")
        await page.get_by_text("Your session has ended").wait_for()
        assert await page.evaluate("sessionStorage.length") == 0
        await page.reload()
        await page.get_by_role("heading", name="Sign in").wait_for()
