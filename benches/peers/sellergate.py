"""Sellergate's client library, without await in one thread, with several callers, or over one stream."""

import asyncio
import os
from pathlib import Path
from typing import Any

from sellergate_client import Sellergate, sync
from sellergate_common.identity.tls import Identity

from benches.peers.program import ITEM, MARKETPLACE, given, run, run_async

PATH = f"/catalog/2022-04-01/items/{ITEM}"
QUERY = {"marketplaceIds": MARKETPLACE}


def blocking(settings: dict[str, Any]) -> None:
    """Measure the client without await, in one thread."""
    files = zip(("CA", "CERT", "KEY"), settings["files"], strict=True)
    os.environ.update({f"SELLERGATE_TLS_{name}_FILE": file for name, file in files})
    os.environ.update(SELLERGATE_GATEWAY_TARGET=settings["gateway"], SELLERGATE_ACCOUNT_TARGET=settings["account"])
    with sync.SellingPartner(settings["account_id"]) as partner:
        run(lambda: partner.get(PATH, QUERY).json()["asin"], settings)


async def asynchronous(settings: dict[str, Any], identity: Identity) -> None:
    """Measure the asynchronous client."""
    async with Sellergate.connect(settings["gateway"], settings["account"], identity) as client:

        async def call() -> object:
            return (await client.call(settings["account_id"], "GET", PATH, query=QUERY)).json()["asin"]

        await run_async(call, settings, settings["callers"])


if __name__ == "__main__":
    read = given()
    if read["kind"] == "sync":
        blocking(read)
    else:
        asyncio.run(asynchronous(read, Identity(*(Path(file).read_bytes() for file in read["files"]))))
