"""Other libraries that make the same call to the same upstream, each in a process of its own, in turns.

The peers call the upstream directly. Sellergate's library calls the gateway, which calls the upstream: the CPU time of all of its
processes is in the table. A bare pass-through beside it shows what any gateway costs one thread that waits for each response.
"""

import asyncio
import json
import sys
from dataclasses import dataclass
from typing import Any

from benches.effort import Effort
from benches.measuring import Measurement
from benches.results import Result
from benches.suites import Bench, learn, opened

PYTHON, SECONDS_LIMIT = "python-amazon-sp-api", 120
DELAY_SECONDS = 0.050
ONE, SEVERAL = "one caller", "several callers"
DELAYED = f"one caller, an upstream of {DELAY_SECONDS * 1000:.0f} ms"


@dataclass(frozen=True, slots=True)
class Peer:
    """A program: its module in `benches.peers`, what it does there, and by how many callers."""

    module: str
    kind: str = ""
    callers: int = 1


OURS_SYNC, THEIR_SYNC = "Sellergate's client without await", f"{PYTHON}, one client kept"
BARE_SYNC = "a bare pass-through, called without await"
OURS_STREAM = "Sellergate's client, 64 calls over one stream"
OURS_ASYNC, THEIR_ASYNC = "Sellergate's client, 64 callers", f"{PYTHON}, asynchronous, 16 callers"
PEERS: dict[str, dict[str, Peer]] = {
    ONE: {
        OURS_SYNC: Peer("sellergate", "sync"),
        BARE_SYNC: Peer("bare"),
        THEIR_SYNC: Peer("saleweaver", "kept"),
        f"{PYTHON}, one client for each call": Peer("saleweaver", "each"),
        "Amazon's SDK, one client kept": Peer("amazon"),
    },
    DELAYED: {OURS_SYNC: Peer("sellergate", "sync"), THEIR_SYNC: Peer("saleweaver", "kept")},
    SEVERAL: {
        "Sellergate's client, 16 callers": Peer("sellergate", "async", 16),
        OURS_ASYNC: Peer("sellergate", "async", 64),
        OURS_STREAM: Peer("sellergate", "stream", 64),
        THEIR_ASYNC: Peer("saleweaver", "async", 16),
    },
}


async def measure(effort: Effort) -> Result:
    """Measure each program in turns."""
    result = Result()
    async with opened() as bench:
        settings = {delay: await settings_of(bench, delay) for delay in (0.0, DELAY_SECONDS)}
        for title, peers in PEERS.items():
            found: dict[str, list[Measurement]] = {name: [] for name in peers}
            for _ in range(1 if effort.quick else effort.sweep_rounds):
                for name, peer in peers.items():
                    document = await output(peer, settings[DELAY_SECONDS if title == DELAYED else 0.0], effort)
                    if "missing" in document:
                        result.not_run = sorted({*result.not_run, f"NOT RUN: needs {document['missing']}"})
                    else:
                        found[name].append(Measurement(**document))
            result.tables[title] = {name: median(each) for name, each in found.items() if each}
    result.figures = figures(result.tables)
    return result


async def settings_of(bench: Bench, delay: float) -> dict[str, Any]:
    """Start an upstream that responds after `delay` seconds, and servers before it; return the input of all programs."""
    upstream, demo, suite = bench.upstream(delay), bench.suite.demo, bench.suite
    gateway, bare = await bench.gateway(upstream), await bench.bare(upstream)
    await learn(gateway, bench.plain)
    files = suite.files("client/demo")
    return {
        "upstream": f"http://127.0.0.1:{upstream}",
        "lwa": suite.simulator,
        "client_id": demo.client_id,
        "client_secret": demo.client_secret.get_secret_value(),
        "refresh_token": demo.refresh_token.get_secret_value(),
        "gateway": gateway.target,
        "bare": bare.target,
        "account": suite.target("account"),
        "account_id": bench.account_id,
        "files": [str(file) for file in (files.ca, files.certificate, files.key)],
        "pids": {"gateway": gateway.pid, **bench.behind},
        "bare_pids": {"bare": bare.pid},
    }


async def output(peer: Peer, settings: dict[str, Any], effort: Effort) -> dict[str, Any]:
    """Run a program and return what it printed. Raises RuntimeError with its last lines."""
    given = {**settings, "kind": peer.kind, "callers": peer.callers, "seconds": 2 * effort.seconds}
    given["pids"] = {"sellergate": settings["pids"], "bare": settings["bare_pids"]}.get(peer.module, {})
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        f"benches.peers.{peer.module}",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(SECONDS_LIMIT):
            printed, errors = await process.communicate(json.dumps(given).encode())
    finally:
        if process.returncode is None:
            process.kill()
    if process.returncode:
        raise RuntimeError(f"{peer.module} {peer.kind}: {errors.decode(errors='replace')[-1500:]}")
    document: dict[str, Any] = json.loads(printed.decode().splitlines()[-1])
    return document


def median(each: list[Measurement]) -> Measurement:
    """Return the measurement with the median rate."""
    return sorted(each, key=lambda one: one.rate)[len(each) // 2]


def figures(tables: dict[str, Any]) -> dict[str, float]:
    """Return the ratios, as far as both sides ran."""
    pairs = {
        "peers.sync": (ONE, OURS_SYNC, THEIR_SYNC),
        "peers.sync_of_bare": (ONE, OURS_SYNC, BARE_SYNC),
        "peers.sync_delayed": (DELAYED, OURS_SYNC, THEIR_SYNC),
        "peers.async": (SEVERAL, OURS_ASYNC, THEIR_ASYNC),
        "peers.stream": (SEVERAL, OURS_STREAM, THEIR_ASYNC),
    }
    return {
        name: tables[title][ours].rate / tables[title][theirs].rate
        for name, (title, ours, theirs) in pairs.items()
        if theirs in tables[title]
    }
