"""Sellers from nothing, on SQLite: connecting them, reading their accounts, and their first calls.

A first call reads the account, exchanges its refresh token and reserves quota; a bare unary echo is the unit of its cost.
"""

import itertools
from collections.abc import Iterable

from sellergate.account.v1.account_service_pb2 import GetAccountRequest

from benches.effort import Effort
from benches.measuring import CALLERS, Call, Measurement, Subject, compare, measure_each
from benches.results import Result
from benches.sellers import Sellers, opened_sellers
from benches.suites import Bench, Bytes, Server, request_of

GET_ACCOUNT = "/sellergate.account.v1.AccountService/GetAccount"
FIRST_CALLERS = 8


async def measure(effort: Effort) -> Result:
    """Measure on SQLite; `bench_sellers` does the same on PostgreSQL."""
    async with opened_sellers("") as (bench, sellers, gateway):
        found = await from_nothing(bench, sellers, gateway, effort)
    return Result({"SQLite": found}, figures("sqlite", found))


async def from_nothing(bench: Bench, sellers: Sellers, gateway: Server, effort: Effort) -> dict[str, Measurement]:
    """Connect sellers, read their accounts, and make each one's first call."""
    echo, pids = await bench.echo(), {"gateway": gateway.pid, **bench.behind}
    connected = await sellers.connect(effort.cold)
    get: Bytes = await bench.method("account", bench.suite.target("account"), GET_ACCOUNT)
    compared = await compare(
        {
            "bare echo": echo.subject("echo", b"x" * 60),
            "GetAccount": Subject(
                in_turn(get, [GetAccountRequest(account_id=one).SerializeToString() for one in sellers.accounts]),
                {"account": bench.suite.pids["account"]},
            ),
        },
        effort,
        CALLERS,
    )
    first = await measure_each(each_once(gateway, sellers.accounts), pids, FIRST_CALLERS)
    return {**compared, "UpsertAccount": connected, "first call of a seller": first}


def each_once(gateway: Server, accounts: Iterable[str]) -> Iterable[Call]:
    """Yield a call for each account."""
    requests = [request_of(one) for one in accounts]
    return ((lambda request=request: gateway.call(request, timeout=30)) for request in requests)


def in_turn(method: Bytes, requests: list[bytes]) -> Call:
    """Return a call that sends one request after the other, again and again."""
    turns = itertools.cycle(requests)
    return lambda: method(next(turns), timeout=30)


def figures(kind: str, found: dict[str, Measurement]) -> dict[str, float]:
    """Return the CPU time of each service, in echoes."""
    unit, first = found["bare echo"].cost("echo"), found["first call of a seller"]
    return {
        f"cold.{kind}.get_account": found["GetAccount"].cost("account") / unit,
        f"cold.{kind}.upsert": found["UpsertAccount"].cost("account") / unit,
        **{f"cold.{kind}.{name}": first.cost(name) / unit for name in ("account", "token", "gateway")},
    }
