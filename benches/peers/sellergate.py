"""Sellergate's client library, without await in one thread, with several callers, or over one stream."""

import asyncio
import json
import os
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sellergate_client import Call, Sellergate, sync
from sellergate_common.identity.tls import Identity

from benches.measuring import Sample, charged, measurement_of, repeated
from benches.peers.program import ITEM, MARKETPLACE, WARM_UP_SECONDS, given, run, run_async

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


async def streamed(settings: dict[str, Any], identity: Identity) -> None:
    """Measure calls over one stream."""
    async with Sellergate.connect(settings["gateway"], settings["account"], identity) as client:

        async def run_for(seconds: float) -> list[float]:
            made = repeated(
                lambda: Call(settings["account_id"], "GET", PATH, query=QUERY, key=time.perf_counter()), seconds
            )
            took = []
            async for outcome in client.calls((make() for make in made), concurrency=settings["callers"]):
                if outcome.response is None:
                    raise RuntimeError(str(outcome.error))
                took.append(time.perf_counter() - outcome.key if outcome.response.json()["asin"] else 0.0)
            return took

        await run_for(WARM_UP_SECONDS)
        with charged(settings["pids"]) as cpu:
            began = time.perf_counter()
            took = await run_for(settings["seconds"])
            seconds = time.perf_counter() - began
        print(json.dumps(asdict(measurement_of([Sample(seconds, took, cpu)]))))


if __name__ == "__main__":
    read = given()
    if read["kind"] == "sync":
        blocking(read)
    else:
        measured = streamed if read["kind"] == "stream" else asynchronous
        asyncio.run(measured(read, Identity(*(Path(file).read_bytes() for file in read["files"]))))
