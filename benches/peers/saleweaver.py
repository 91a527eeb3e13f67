"""python-amazon-sp-api: its synchronous client, kept or made for each call, or its asynchronous one."""

import asyncio
from types import SimpleNamespace
from typing import Any

from benches.peers.program import ITEM, MARKETPLACE, given, missing, run, run_async

try:
    from sp_api.api.catalog_items.catalog_items_2022_04_01 import CatalogItemsV20220401 as Items
    from sp_api.asyncio.api.catalog_items.catalog_items_2022_04_01 import CatalogItemsV20220401 as AsyncItems
    from sp_api.asyncio.auth import AccessTokenClient as AsyncTokens
    from sp_api.auth import AccessTokenClient as Tokens
except ImportError:
    missing("python-amazon-sp-api")


def options(settings: dict[str, Any], tokens: type) -> dict[str, Any]:
    """Return a client's options: these addresses and this seller."""
    scheme, _, host = settings["lwa"].partition("//")
    own = type("OwnTokens", (tokens,), {"scheme": f"{scheme}//", "host": host})
    place = SimpleNamespace(endpoint=settings["upstream"], marketplace_id=MARKETPLACE, region="us-east-1")
    credentials = {
        "refresh_token": settings["refresh_token"],
        "lwa_app_id": settings["client_id"],
        "lwa_client_secret": settings["client_secret"],
    }
    return {"marketplace": place, "credentials": credentials, "auth_token_client_class": own}


def kept(settings: dict[str, Any]) -> None:
    """Measure one client for all calls."""
    client = Items(**options(settings, Tokens))
    run(lambda: client.get_catalog_item(ITEM, marketplaceIds=[MARKETPLACE]).payload["asin"], settings)


def each(settings: dict[str, Any]) -> None:
    """Measure a client for each call, as its documentation shows it."""

    def call() -> object:
        client = Items(**options(settings, Tokens))
        try:
            return client.get_catalog_item(ITEM, marketplaceIds=[MARKETPLACE]).payload["asin"]
        finally:
            client.close()

    run(call, settings)


async def asynchronous(settings: dict[str, Any]) -> None:
    """Measure one asynchronous client."""
    client = AsyncItems(**options(settings, AsyncTokens))

    async def call() -> object:
        return (await client.get_catalog_item(ITEM, marketplaceIds=[MARKETPLACE])).payload["asin"]

    await call()
    await run_async(call, settings, settings["callers"])


if __name__ == "__main__":
    read = given()
    if read["kind"] == "async":
        asyncio.run(asynchronous(read))
    else:
        {"kept": kept, "each": each}[read["kind"]](read)
