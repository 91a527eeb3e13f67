"""The npm package amazon-sp-api, unmodified, through the drop-in endpoint."""

import subprocess
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from tests.e2e.conftest import Rest
from tests.e2e.dropin import DropIn
from tests.e2e.relay import relayed
from tests.e2e.sellers import Seller
from tests.e2e.test_sdks import check_traffic
from tests.system.conftest import Need

PACKAGE = "amazon-sp-api@1.2.1"


@pytest.mark.timeout(180)
async def test_amazon_sp_api_of_npm(
    need: Need, tmp_path_factory: pytest.TempPathFactory, rest: Rest, seller: Seller, fast: None
) -> None:
    need.program("node")
    need.program("npm")
    folder = tmp_path_factory.mktemp("npm")
    subprocess.run(["npm", "install", "--silent", "--prefix", str(folder), PACKAGE], check=True, timeout=120)
    async with relayed("127.0.0.1", urlsplit(rest.suite.edge).port or 0) as relay:
        sdk = replace(await DropIn.made(rest, "u1", await rest.connect(seller)), url=relay.url)
        documents = str(urlsplit(rest.suite.simulator or "").port)
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
