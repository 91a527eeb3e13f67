"""Responses of growing sizes, through the gateway and through a bare pass-through."""

from benches.effort import Effort
from benches.measuring import Measurement, compare
from benches.results import Result
from benches.suites import learn, opened, request_of

CALLERS = 8


async def measure(effort: Effort) -> Result:
    """Measure each size in turns, with few callers: a response of 10 MB is held several times on its way."""
    tables: dict[str, dict[str, Measurement]] = {}
    async with opened() as bench:
        upstream, behind = bench.upstream(), bench.behind
        gateway = await bench.gateway(upstream)
        await learn(gateway, bench.plain)
        for size in effort.body_bytes:
            path = f"/catalog/2022-04-01/items/S{size}"
            bare = await bench.bare(upstream, path)
            subjects = {
                "bare pass-through": bare.subject("bare", bench.plain),
                "Call": gateway.subject("gateway", request_of(bench.account_id, path), **behind),
            }
            tables[f"{size:,} bytes"] = await compare(subjects, effort.of_step, CALLERS)
    return Result(tables)
