"""The npm package amazon-sp-api, unmodified, through the drop-in endpoint."""

import subprocess
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from sellergate_devstack.settings import DevstackSettings
from sellergate_devstack.suite import Suite, running_suite

from tests.e2e.conftest import Rest, ephemeral_ports
from tests.e2e.dropin import DropIn
from tests.e2e.relay import relayed
from tests.e2e.sellers import Seller
from tests.e2e.test_sdks import check_traffic
from tests.prove.conftest import Need

PACKAGE = "amazon-sp-api@1.2.1"


@pytest.fixture
async def suite(tmp_path: Path) -> AsyncIterator[Suite]:
    settings = DevstackSettings(state_dir=tmp_path, simulator="on", **ephemeral_ports())
    async with running_suite(settings, lambda _: None) as running:
        yield running


@pytest.mark.timeout(180)
async def test_amazon_sp_api_of_npm(need: Need, tmp_path_factory: pytest.TempPathFactory, suite: Suite) -> None:
    need.program("node")
    need.program("npm")
    folder = tmp_path_factory.mktemp("npm")
    subprocess.run(["npm", "install", "--silent", "--prefix", str(folder), PACKAGE], check=True, timeout=120)
    async with (
        httpx.AsyncClient(base_url=suite.edge, timeout=40, trust_env=False) as client,
        httpx.AsyncClient(base_url=suite.simulator or "", timeout=10, trust_env=False) as control,
        relayed("127.0.0.1", urlsplit(suite.edge).port or 0) as relay,
    ):
        (await control.post("/control/rates", json={"scale": 1000, "burst_scale": 10})).raise_for_status()
        seller = await Seller.seeded(control)
        rest = Rest(suite, client)
        sdk = replace(await DropIn.made(rest, "u1", await rest.connect(seller)), url=relay.url)
        documents = str(urlsplit(suite.simulator or "").port)
        given = {"NODE_PATH": str(folder / "node_modules"), "SDK_DOCUMENTS_PORT": documents}
        seen = await sdk.run("node", "npm.js", "seen", **given)
        assert sum(seen["pages"]) == 30
        assert seen["city"]
        assert seen["rdt"].startswith("eyJ")
        assert seen["report_bytes"] > 100
        assert seen["feed"]
        assert seen["destinations"]["echo"]["selling_partner_id"] is None
        check_traffic(relay, seller)
        wrong = replace(sdk, handle="sgr_wrong")
        assert (await wrong.run("node", "npm.js", "refused", **given))["code"] == "invalid_grant"
        assert (await rest.ask("DELETE", f"/api/amazon/clients/{sdk.client_id}")).status_code == 204
        assert (await sdk.run("node", "npm.js", "refused", **given))["code"] == "invalid_client"
