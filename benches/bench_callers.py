"""From one caller to many, through the gateway and through a bare pass-through."""

from benches.effort import Effort
from benches.measuring import Measurement, compare
from benches.results import Result
from benches.suites import learn, opened


async def measure(effort: Effort) -> Result:
    """Measure each number of callers in turns."""
    tables: dict[str, dict[str, Measurement]] = {}
    async with opened() as bench:
        upstream = bench.upstream()
        bare, gateway = await bench.bare(upstream), await bench.gateway(upstream)
        await learn(gateway, bench.plain)
        subjects = {
            "bare pass-through": bare.subject("bare", bench.plain),
            "Call": gateway.subject("gateway", bench.plain, **bench.behind),
        }
        for callers in effort.callers:
            tables[f"{callers} callers"] = await compare(subjects, effort.of_step, callers)
    return Result(tables)
