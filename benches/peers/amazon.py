"""Amazon's Python SDK (amzn-sp-api), with one client for all calls."""

from benches.peers.program import ITEM, MARKETPLACE, given, missing, run

try:
    from spapi import SPAPIClient, SPAPIConfig
    from spapi.api.catalogitems_v2022_04_01.catalog_api import CatalogApi
except ImportError:
    missing("amzn-sp-api")

if __name__ == "__main__":
    read = given()
    config = SPAPIConfig(
        client_id=read["client_id"], client_secret=read["client_secret"], refresh_token=read["refresh_token"]
    )
    client = SPAPIClient(config, oauth_endpoint=f"{read['lwa']}/auth/o2/token", endpoint=read["upstream"])
    items = CatalogApi(client.api_client)
    run(lambda: items.get_catalog_item(ITEM, [MARKETPLACE]).asin, read)
