"""Many sellers on PostgreSQL: their first calls, then calls of all of them in turn beside calls of one."""

from sellergate_devstack.servers.postgres import running_postgres

from benches.bench_cold import FIRST_CALLERS, each_once, figures, from_nothing, in_turn
from benches.effort import Effort
from benches.measuring import Measurement, Subject, compare, measure_each
from benches.processes import resident_kilobytes
from benches.results import Result
from benches.sellers import Sellers, opened_sellers
from benches.suites import Bench, Server, request_of

REMEMBERING = ("gateway", "token")


async def measure(effort: Effort) -> Result:
    """Measure on a PostgreSQL of this run's own."""
    try:
        with running_postgres() as postgres:
            return await measured(postgres.create_database("bench"), effort)
    except FileNotFoundError:
        return Result(not_run=["NOT RUN: needs PostgreSQL"])


async def measured(database: str, effort: Effort) -> Result:
    """Measure first calls, the memory of each seller, and calls in turn."""
    async with opened_sellers(database) as (bench, sellers, gateway):
        cold = await from_nothing(bench, sellers, gateway, effort)
        await sellers.store(effort.sellers - len(sellers.accounts))
        later, kilobytes = sellers.accounts[effort.cold :], await remembered(bench, sellers, gateway, effort)
        turns = await calls_in_turn(bench, sellers, gateway, effort)
    one, many = turns["one seller"], turns[name_of(effort)]
    ratios = {
        "sellers.in_turn": many.rate / one.rate,
        "sellers.account_share": many.cost("account") / many.cost("gateway"),
    }
    per_seller = {name: size / len(later) for name, size in kilobytes.items()}
    return Result(
        {"PostgreSQL": cold, "in turn": turns},
        {**figures("postgresql", cold), **ratios},
        {"KiB for each seller that a process remembers": per_seller},
    )


async def remembered(bench: Bench, sellers: Sellers, gateway: Server, effort: Effort) -> dict[str, float]:
    """Make the first calls of the other sellers; return by how many KiB each process grows."""
    pids = {"gateway": gateway.pid, **bench.behind}
    before = {name: resident_kilobytes(pids[name]) for name in REMEMBERING}
    await measure_each(each_once(gateway, sellers.accounts[effort.cold :]), pids, FIRST_CALLERS)
    return {name: resident_kilobytes(pids[name]) - before[name] for name in REMEMBERING}


async def calls_in_turn(bench: Bench, sellers: Sellers, gateway: Server, effort: Effort) -> dict[str, Measurement]:
    """Compare calls of one seller with calls of all in turn."""
    requests, pids = [request_of(one) for one in sellers.accounts], {"gateway": gateway.pid, **bench.behind}
    return await compare(
        {
            "one seller": gateway.subject("gateway", requests[0], **bench.behind),
            name_of(effort): Subject(in_turn(gateway.call, requests), pids),
        },
        effort,
    )


def name_of(effort: Effort) -> str:
    """Return the subject's name."""
    return f"{effort.sellers:,} sellers in turn"
