"""Where the time of a warm call goes: the CPU microseconds that the gateway spends in the code of each layer.

The layers are measured in a gateway whose functions are wrapped, the whole call in the product's own gateway beside it. What
neither layer does is gRPC, TLS, sockets and the event loop itself. The clock's own cost is measured and taken off.
"""

import asyncio
import json
from pathlib import Path
from typing import Any

from benches.effort import Effort
from benches.measuring import compare
from benches.results import Result
from benches.servers.timed_gateway import LAYERS, WRITE_SECONDS, Clock
from benches.suites import learn, opened

REST = "gRPC, TLS, sockets, event loop"
_CALIBRATIONS = 20_000


async def measure(effort: Effort) -> Result:
    """Measure both gateways in turns."""
    async with opened() as bench:
        upstream = bench.upstream()
        plain = await bench.gateway(upstream)
        timed = await bench.gateway(upstream, module="benches.servers.timed_gateway")
        for server in (plain, timed):
            await learn(server, bench.plain)
        file = bench.folder / f"{timed.target.rpartition(':')[2]}.layers"
        before = await totals(file)
        found = await compare(
            {
                "Call": plain.subject("gateway", bench.plain, **bench.behind),
                "Call, with its layers timed": timed.subject("gateway", bench.plain, **bench.behind),
            },
            effort,
        )
        layers = layers_of(before, await totals(file), clock_cost())
    whole = found["Call"].cost("gateway") * 1000
    series = {"microseconds of a call": {**layers, REST: max(0.0, whole - sum(layers.values()))}}
    return Result({"layers": found}, series=series)


async def totals(file: Path) -> dict[str, Any]:
    """Return the totals of the timed gateway, after it has written them once more."""
    await asyncio.sleep(2 * WRITE_SECONDS)
    found: dict[str, Any] = json.loads(file.read_text())  # noqa: ASYNC240  (no other task runs meanwhile)
    return found


def layers_of(before: dict[str, Any], after: dict[str, Any], step_nanoseconds: float) -> dict[str, float]:
    """Return the microseconds of each layer for one call, without those of the clock."""
    calls = after["calls"] - before["calls"]
    found = {}
    for layer in LAYERS:
        spent, steps = (after[key][layer] - before[key][layer] for key in ("spent", "steps"))
        found[layer] = max(0.0, spent - steps * step_nanoseconds) / calls / 1000
    return found


def clock_cost() -> float:
    """Return the nanoseconds that the clock charges to an empty step."""
    clock, layer = Clock(), next(iter(LAYERS))
    for _ in range(_CALIBRATIONS):
        clock.enter(layer)
        clock.leave()
    return clock.spent[layer] / _CALIBRATIONS
