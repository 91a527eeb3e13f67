"""The examples that need a tool: the service in Node.js, and the page in a browser, on the running suite."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from playwright.async_api import async_playwright
from sellergate_devstack.processes.ports import free_ports
from sellergate_devstack.settings import DevstackSettings
from sellergate_devstack.suite import running_suite

from tests.e2e.conftest import Rest, ephemeral_ports
from tests.e2e.sellers import Seller
from tests.e2e.test_examples import settings
from tests.paths import ROOT
from tests.system.conftest import Need

CHROMIUM = Path("/usr/bin/chromium")


async def test_the_service_in_node_prints_marketplaces(rest: Rest, seller: Seller, need: Need, tmp_path: Path) -> None:
    need.program("node")
    need.program("npm")
    for name in ("package.json", "service.mjs"):
        (tmp_path / name).write_bytes((ROOT / "examples" / "node" / name).read_bytes())
    subprocess.run(["npm", "install", "--silent", "--prefix", str(tmp_path)], cwd=tmp_path, check=True, timeout=150)
    environment = settings(rest, await rest.connect(seller)) | {"SELLERGATE_PROTOS": str(ROOT / "protos")}
    command = ["node", str(tmp_path / "service.mjs")]
    done = subprocess.run(
        command,
        env={"PATH": "/usr/bin:/bin:/usr/local/bin", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "ATVPDKIKX0DER US" in done.stdout


class Quiet(SimpleHTTPRequestHandler):
    """A handler that logs nothing."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (http.server's own name)
        """Write nothing."""


@contextmanager
def served(folder: Path, port: int) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", port), partial(Quiet, directory=str(folder)))
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://localhost:{port}"
    finally:
        server.shutdown()
        server.server_close()


async def use_page(url: str, edge: str, token: str, seller_id: str) -> None:
    """Open the page in a browser as its user: a wrong token, then the list of sellers, then a call for one."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        page = await browser.new_page()
        page.set_default_timeout(60_000)
        await page.goto(url)
        await page.get_by_label("Edge").fill(edge)
        await page.get_by_label("Token").fill("wrong")
        await page.get_by_role("button", name="List my sellers").click()
        await page.get_by_text("(CALLER_UNAUTHENTICATED)").wait_for()
        await page.get_by_label("Token").fill(token)
        await page.get_by_role("button", name="List my sellers").click()
        await page.get_by_text("Sellers: 1").wait_for()
        await page.get_by_role("button", name="Marketplaces").click()
        await page.get_by_text(f"{seller_id} sells in US").wait_for()
        await browser.close()


async def test_the_page_lists_sellers_and_calls_sp_api(
    need: Need, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need("Chromium at /usr/bin/chromium", CHROMIUM.exists())
    (port,) = free_ports(1)
    monkeypatch.setenv("SELLERGATE_CORS_ORIGINS", f"http://localhost:{port}")
    local = DevstackSettings(state_dir=tmp_path / "state", simulator="on", **ephemeral_ports())
    async with running_suite(local, lambda _: None) as suite:
        from sellergate_devstack.demo import run_demo

        await run_demo(suite, lambda _: None)
        with served(ROOT / "examples" / "frontend", port) as url:
            await use_page(url, suite.edge, suite.jwt(suite.demo.user_id), suite.demo.seller_id)
