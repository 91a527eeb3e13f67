"""The cost of a call while the number of accounts in the database grows, on PostgreSQL."""

from sellergate.account.v1.account_service_pb2 import GetAccountRequest
from sellergate_devstack.servers.postgres import running_postgres

from benches.bench_cold import GET_ACCOUNT, in_turn
from benches.effort import Effort
from benches.measuring import Measurement, Subject, compare
from benches.results import Result
from benches.sellers import Sellers, opened_sellers
from benches.suites import Bench, Bytes, Server, learn, request_of

SERVICES = ("gateway", "account", "token", "redis")
READ = 1_000
"""Accounts that are read in turn, from all parts of the table."""


async def measure(effort: Effort) -> Result:
    """Measure on a PostgreSQL of this run's own."""
    try:
        with running_postgres() as postgres:
            tables = await grown(postgres.create_database("bench"), effort)
    except FileNotFoundError:
        return Result(not_run=["NOT RUN: needs PostgreSQL"])
    costs = {title: costs_of(table) for title, table in tables.items()}
    first, *_, last = costs.values()
    return Result(tables, {f"growth.{name}": last[name] / first[name] for name in first})


async def grown(database: str, effort: Effort) -> dict[str, dict[str, Measurement]]:
    """Return the measurements at each number of accounts."""
    tables = {}
    async with opened_sellers(database) as (bench, sellers, gateway):
        await sellers.connect(1)
        await learn(gateway, request_of(sellers.accounts[0]))
        get = await bench.method("account", bench.suite.target("account"), GET_ACCOUNT)
        for count in effort.accounts:
            await sellers.store(count - len(sellers.accounts))
            tables[f"{count:,} accounts"] = await at_size(bench, sellers, gateway, get, effort)
    return tables


async def at_size(
    bench: Bench, sellers: Sellers, gateway: Server, get: Bytes, effort: Effort
) -> dict[str, Measurement]:
    """Compare a warm call of one seller with reads of accounts."""
    some = sellers.accounts[:: max(1, len(sellers.accounts) // READ)]
    requests = [GetAccountRequest(account_id=one).SerializeToString() for one in some]
    return await compare(
        {
            "Call": gateway.subject("gateway", request_of(sellers.accounts[0]), **bench.behind),
            "GetAccount": Subject(in_turn(get, requests), {"account": bench.suite.pids["account"]}),
        },
        effort,
    )


def costs_of(table: dict[str, Measurement]) -> dict[str, float]:
    """Return the CPU milliseconds of all services for one call."""
    return {"call": table["Call"].cost(*SERVICES), "get_account": table["GetAccount"].cost("account")}
