"""Token, account and gateway under ten times the callers that saturate them, which retry at the given times.

The goodput under overload is at least 80 % of the best one, refusals take at most 250 ms, and the goodput is back within 5 s.
Best and overloaded goodput are measured in turn, and their sums compared: see `tests.system.overload.overloaded`.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sellergate.account.v1 import account_service_pb2
from sellergate.account.v1.account_service_pb2_grpc import AccountServiceStub
from sellergate.gateway.v1 import call_pb2
from sellergate.gateway.v1.gateway_service_pb2_grpc import GatewayServiceStub
from sellergate_common.rpc.channel import invoke, open_channel

from tests.system.overload import SHARE, Load, Outcome, overloaded
from tests.system.token_fleet import Fleet, fleet

TIMES, SECONDS = 10, 60.0
REFUSED_WITHIN_SECONDS, RECOVERED_WITHIN_SECONDS = 0.25, 5.0
# The remainder is a margin for moments in which the machine does not schedule the process.
REFUSED_IN_TIME = 0.99
# LWA's response time, so that its connections are the token service's bottleneck on any machine.
LWA_SECONDS = 2.0
TOKEN_CALLERS, TOKEN_DEADLINE_SECONDS = 80, 8.0
# The account service is bound by its processor: ten times these callers wait longer for it than their deadline.
ACCOUNT_CALLERS, ACCOUNT_DEADLINE_SECONDS = 40, 0.5
# The gateway is bound by its processor too, and has no admission: its callers all fit into their deadline.
GATEWAY_CALLERS, GATEWAY_DEADLINE_SECONDS, GATEWAY_SECONDS = 48, 2.0, 27.0


def check(found: Outcome) -> None:
    print(f"\n{found}")
    assert found.overloaded >= SHARE * found.best
    assert found.refused
    in_time = sum(seconds <= REFUSED_WITHIN_SECONDS for seconds in found.refused)
    assert in_time >= REFUSED_IN_TIME * len(found.refused)
    assert found.other.total() <= 0.05 * found.done
    assert found.recovery <= RECOVERED_WITHIN_SECONDS
    assert found.after >= SHARE * found.best


@pytest.mark.timeout(300)
async def test_cold_tokens(tmp_path: Path) -> None:
    async with fleet(tmp_path) as running:
        await running.add(TIMES * TOKEN_CALLERS)
        slow = {"kind": "lwa_slow", "delay_seconds": LWA_SECONDS}
        (await running.control.post("/control/faults", json=slow)).raise_for_status()
        running.tokens.seconds = TOKEN_DEADLINE_SECONDS

        async def call(account: str) -> None:
            await running.tokens.get(account)
            await running.tokens.clear(account)  # the next call is cold again

        load = Load(call, running.accounts)
        check(await overloaded(load, running.suite.log("token"), TOKEN_CALLERS, TIMES, SECONDS))


@pytest.mark.timeout(300)
async def test_accounts(tmp_path: Path) -> None:
    async with fleet(tmp_path) as running, accounts_of(running) as stub:
        await running.add(32)

        async def call(account: str) -> None:
            request = account_service_pb2.GetAccountRequest(account_id=account)
            await invoke(stub.GetAccount, request, dependency="account", seconds=ACCOUNT_DEADLINE_SECONDS)

        load = Load(call, [running.accounts[number % 32] for number in range(TIMES * ACCOUNT_CALLERS)])
        check(await overloaded(load, running.suite.log("account"), ACCOUNT_CALLERS, TIMES, SECONDS))


@pytest.mark.timeout(300)
async def test_calls(tmp_path: Path) -> None:
    async with fleet(tmp_path) as running, gateway_of(running) as stub:
        await running.add(32)
        rates = {"scale": 1_000_000, "burst_scale": 1000}
        (await running.control.post("/control/rates", json=rates)).raise_for_status()

        async def call(account: str) -> None:
            request = call_pb2.CallRequest(account_id=account, method="GET", path="/sellers/v1/account")
            await invoke(stub.Call, request, dependency="gateway", seconds=GATEWAY_DEADLINE_SECONDS)

        for account in running.accounts:
            await call(account)  # the gateway learns its rate from a response
        load = Load(call, [running.accounts[number % 32] for number in range(TIMES * GATEWAY_CALLERS)])
        log = running.suite.log("gateway")
        found = await overloaded(load, log, GATEWAY_CALLERS, TIMES, GATEWAY_SECONDS)
        print(f"\n{found}")
        assert found.overloaded >= SHARE * found.best
        assert found.other.total() <= 0.05 * found.done
        assert found.recovery <= RECOVERED_WITHIN_SECONDS
        assert found.after >= SHARE * found.best


@asynccontextmanager
async def gateway_of(running: Fleet) -> AsyncIterator[GatewayServiceStub]:
    suite = running.suite
    async with open_channel(suite.target("gateway"), "gateway", suite.identity("operator"), []) as channel:
        yield GatewayServiceStub(channel)


@asynccontextmanager
async def accounts_of(running: Fleet) -> AsyncIterator[AccountServiceStub]:
    suite = running.suite
    async with open_channel(suite.target("account"), "account", suite.identity("operator"), []) as channel:
        yield AccountServiceStub(channel)
