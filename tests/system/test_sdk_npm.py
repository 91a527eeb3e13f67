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


@pytest.mark.timeout(300)
async def test_amazon_sp_api_of_npm(
    need: Need, tmp_path_factory: pytest.TempPathFactory, rest: Rest, seller: Seller, fast: None
) -> None:
    need.program("node")
    need.program("npm")
    folder = tmp_path_factory.mktemp("npm")
    subprocess.run(["npm", "install", "--silent", "--prefix", str(folder), PACKAGE], check=True, timeout=150)
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
        direct_port = (urlsplit(rest.suite.simulator or "").port or 0) + 1
        direct = DropIn(f"http://127.0.0.1:{direct_port}", seller.client_id, seller.client_secret, seller.refresh_token)
        found = await sdk.run("node", "npm.js", "compared", **given)
        directly = await direct.run("node", "npm.js", "compared", SDK_LOGIN_PORT=documents, **given)
        # Sellergate signs calls of an account with a role; the SDK does not sign.
        assert found["catalog"]["echo"].pop("assumed_role_arn")
        assert directly["catalog"]["echo"].pop("assumed_role_arn") is None
        assert found == directly
        assert found["orders"]
        assert found["items"]["OrderItems"]
        assert all(order["ShippingAddress"] for order in found["restricted"] if order["OrderStatus"] != "Pending")
        assert found["status"] == "DONE"
        assert found["catalog"]["echo"]["operation"] == "catalog-items/2022-04-01/searchCatalogItems"
        assert all(found["missing"])
        assert all(found["invalid"])
        wrong = replace(sdk, handle="sgr_wrong")
        assert (await wrong.run("node", "npm.js", "refused", **given))["code"] == "invalid_grant"
        assert (await rest.request("DELETE", f"/api/amazon/clients/{sdk.client_id}")).status_code == 204
        assert (await sdk.run("node", "npm.js", "refused", **given))["code"] == "invalid_client"
