"""A warm Call beside a bare pass-through: both with the same TLS, uvloop, process count and upstream."""

from benches.effort import Effort
from benches.measuring import CALLERS, Measurement, compare
from benches.results import Result
from benches.suites import Bench, learn, opened

DELAY_SECONDS = 0.050
AT_ONCE, DELAYED = "an upstream without delay", f"an upstream of {DELAY_SECONDS * 1000:.0f} ms"


async def measure(effort: Effort) -> Result:
    """Measure both before an upstream that responds at once, and before one that takes its time."""
    async with opened() as bench:
        quick, slow = await at_once(bench, effort), await delayed(bench, effort)
    return Result({AT_ONCE: quick, DELAYED: slow}, figures(quick, slow))


async def at_once(bench: Bench, effort: Effort) -> dict[str, Measurement]:
    """Measure calls before an upstream that responds at once, with each way to keep quota."""
    upstream, behind = bench.upstream(), bench.behind
    echo, bare = await bench.echo(), await bench.bare(upstream)
    shared, local = await bench.gateway(upstream), await bench.gateway(upstream, "local")
    for server, request in ((shared, bench.plain), (local, bench.plain), (shared, bench.signed)):
        await learn(server, request)
    return await compare(
        {
            "bare echo": echo.subject("echo", bench.plain),
            "bare pass-through": bare.subject("bare", bench.plain),
            "Call, quota in Redis": shared.subject("gateway", bench.plain, **behind),
            "Call, quota local": local.subject("gateway", bench.plain, **behind),
            "Call, signed": shared.subject("gateway", bench.signed, **behind),
        },
        effort,
    )


async def delayed(bench: Bench, effort: Effort) -> dict[str, Measurement]:
    """Measure calls before an upstream that responds after a while, as Amazon does."""
    upstream = bench.upstream(DELAY_SECONDS)
    bare, shared = await bench.bare(upstream), await bench.gateway(upstream)
    await learn(shared, bench.plain)
    return await compare(
        {
            "bare pass-through": bare.subject("bare", bench.plain),
            "Call, quota in Redis": shared.subject("gateway", bench.plain, **bench.behind),
        },
        effort,
    )


def figures(quick: dict[str, Measurement], slow: dict[str, Measurement]) -> dict[str, float]:
    """Return the ratios."""
    bare, shared, late = quick["bare pass-through"], quick["Call, quota in Redis"], slow["Call, quota in Redis"]
    return {
        "gateway.shared": shared.rate / bare.rate,
        "gateway.local": quick["Call, quota local"].rate / bare.rate,
        "gateway.signed": quick["Call, signed"].rate / shared.rate,
        "gateway.cost": shared.cost("gateway") / quick["bare echo"].cost("echo"),
        "gateway.delayed": late.rate / slow["bare pass-through"].rate,
        "gateway.delayed_of_ideal": late.rate / (CALLERS / DELAY_SECONDS),
        "gateway.delayed_p50": late.p50 / slow["bare pass-through"].p50,
    }
