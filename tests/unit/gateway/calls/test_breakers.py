"""The circuit breaker of a host, and the budgets of retries."""

import asyncio
from dataclasses import replace

import pytest
from sellergate_common.errors import Unavailable
from sellergate_gateway.calls.breakers import FAILURES_OF_A_USER, LEAST_CALLS, MOST_USERS, Breakers, End
from sellergate_gateway.calls.retries import ACCOUNT_RETRIES, RetryBudgets
from sellergate_gateway.spapi.http import ConnectError, ResponseLost

from tests.fakes.gateway import ACCOUNT, BUSY, HTML, OK, WRITE, World


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def fail(breakers: Breakers, user: str, times: int, end: End = End.BROKEN, host: str = "h") -> None:
    for _ in range(times):
        breakers.begin(host, user)
        breakers.record_result(host, user, end)


def opened(clock: Clock) -> Breakers:
    breakers = Breakers(clock)
    fail(breakers, "any", LEAST_CALLS, End.UNREACHABLE)
    return breakers


def refuses(breakers: Breakers, host: str = "h", user: str = "u") -> float | None:
    try:
        breakers.check(host, user)
    except Unavailable as error:
        return error.retry_after
    return None


def test_a_host_that_is_down_gets_no_calls_until_one_probe_succeeds() -> None:
    clock = Clock()
    breakers = opened(clock)
    assert refuses(breakers) == pytest.approx(2.0)
    assert refuses(breakers, "another") is None
    clock.now += 2.1
    breakers.check("h", "u")
    breakers.begin("h", "u")
    assert refuses(breakers), "one probe at a time"
    breakers.record_result("h", "u", End.UNREACHABLE)
    assert refuses(breakers) == pytest.approx(4.0)
    clock.now += 4.1
    breakers.begin("h", "u")
    breakers.record_result("h", "u", End.RESPONSE)
    assert refuses(breakers) is None
    assert breakers.state() == {"h": False}


def test_a_probe_without_a_reported_end_expires() -> None:
    clock = Clock()
    breakers = opened(clock)
    clock.now += 2.1
    breakers.begin("h", "u")
    clock.now += 14
    assert refuses(breakers)
    clock.now += 2
    assert refuses(breakers) is None


def test_few_failures_among_many_successes_open_no_circuit() -> None:
    clock = Clock()
    breakers = Breakers(clock)
    for number in range(1000):
        breakers.record_result("h", "u", End.UNREACHABLE if number % 4 == 0 else End.RESPONSE)
        clock.now += 0.01
    assert refuses(breakers) is None
    for _ in range(LEAST_CALLS - 1):
        clock.now += 20
        breakers.record_result("h", "u", End.UNREACHABLE)
    assert refuses(breakers) is None, "so few, so far apart"


def test_a_response_opens_no_circuit_however_many_calls_failed_before() -> None:
    clock = Clock()
    breakers = Breakers(clock)
    fail(breakers, "u", LEAST_CALLS - 1, End.UNREACHABLE)
    for _ in range(3):
        breakers.record_result("h", "u", End.RESPONSE)
        assert refuses(breakers) is None, "the host has just responded"
    assert breakers.state() == {"h": False}
    fail(breakers, "u", 1, End.UNREACHABLE)
    assert refuses(breakers), "most calls of the window failed, and so did the last one"


@pytest.mark.parametrize(
    ("step", "opens"),
    [
        (ConnectError("refused"), True),
        (ResponseLost("reset"), True),
        (HTML, True),
        (BUSY, False),
        (ResponseLost("no complete response", late=True), False),
    ],
)
async def test_the_ends_of_calls_that_open_a_circuit(step: object, opens: bool) -> None:
    world = World(steps=[step], left=3.0)  # type: ignore[list-item]
    for _ in range(LEAST_CALLS):
        await world.refused(WRITE)
    sent = len(world.sent)
    error = await world.refused(WRITE)
    assert (len(world.sent) == sent) is opens
    if opens:
        assert "nothing was sent" in error.message
        assert world.log[-1] == "account", "before a token or quota is requested"
        world.clock += 60
        world.steps = [OK]
        await world.make(WRITE)


def test_failures_of_one_users_requests_stop_only_that_users_calls() -> None:
    clock = Clock()
    breakers = Breakers(clock)
    fail(breakers, "attacker", LEAST_CALLS)
    assert refuses(breakers, user="attacker")
    assert refuses(breakers, user="victim") is None
    assert (breakers.state(), breakers.users()) == ({"h": False}, {"h": 1})
    for _ in range(50):
        clock.now += 31
        fail(breakers, "attacker", 1)
        assert refuses(breakers, user="attacker") == pytest.approx(30, abs=27)
        assert refuses(breakers, user="victim") is None
    clock.now += 31
    fail(breakers, "attacker", 1, End.RESPONSE)
    assert refuses(breakers, user="attacker") is None


def test_failures_of_a_few_users_are_outweighed_by_responses_to_others() -> None:
    breakers = Breakers(Clock())
    fail(breakers, "first", 1)
    fail(breakers, "victim", 10, End.RESPONSE)
    for attacker in ("a", "b", "c", "d", "e"):
        fail(breakers, attacker, LEAST_CALLS)
        assert refuses(breakers, user="victim") is None


def test_a_host_that_fails_for_several_users_gets_no_calls_of_any_user() -> None:
    breakers = Breakers(Clock())
    for user in ("a", "b", "c"):
        fail(breakers, user, LEAST_CALLS - 1)
        assert refuses(breakers) is None
    fail(breakers, "d", FAILURES_OF_A_USER)
    assert refuses(breakers) == pytest.approx(2.0)


@pytest.mark.parametrize("end", [End.BROKEN, End.UNKNOWN])
def test_failed_or_abandoned_probes_of_one_user_do_not_block_others(end: End) -> None:
    clock = Clock()
    breakers = opened(clock)
    clock.now += 2.1
    breakers.begin("h", "attacker")
    assert refuses(breakers, user="victim"), "one probe at a time"
    breakers.record_result("h", "attacker", end)
    assert refuses(breakers, user="attacker") == pytest.approx(2.0)
    fail(breakers, "victim", 1, End.RESPONSE)
    assert refuses(breakers, user="victim") is None
    assert breakers.state() == {"h": False}


def test_calls_whose_end_is_not_about_the_host_open_no_circuit() -> None:
    breakers = Breakers(Clock())
    fail(breakers, "u", 10 * LEAST_CALLS, End.UNKNOWN)
    assert refuses(breakers) is None
    assert (breakers.state(), breakers.users()) == ({}, {})


def test_the_number_of_users_with_circuits_is_bounded() -> None:
    clock = Clock()
    breakers = Breakers(clock)
    for number in range(MOST_USERS + 1):
        clock.now += 1
        fail(breakers, f"u{number}", 1)
    assert len(breakers._users) == MOST_USERS


async def test_abandoned_calls_and_short_deadlines_open_no_circuit() -> None:
    world = World(steps=[ResponseLost("no complete response", late=True)], left=3.0)
    for _ in range(2 * LEAST_CALLS):
        await world.refused(WRITE)
    world.steps = [asyncio.CancelledError()]  # type: ignore[list-item]
    for _ in range(2 * LEAST_CALLS):
        with pytest.raises(asyncio.CancelledError):
            await world.make(WRITE)
    assert (world.breakers.state(), world.breakers.users()) == ({}, {})


async def test_error_pages_of_one_users_requests_do_not_stop_another_users_calls() -> None:
    attacker = World(steps=[HTML])
    for _ in range(2 * LEAST_CALLS):
        await attacker.refused(WRITE)
    victim = World(account=replace(ACCOUNT, user_id="victim"))
    victim.breakers = attacker.breakers
    await victim.make(WRITE)
    assert attacker.breakers.users()
    sent = len(attacker.sent)
    await attacker.refused(WRITE)
    assert len(attacker.sent) == sent


def test_retries_are_a_share_of_calls() -> None:
    budgets = RetryBudgets()
    spent = 0
    for _ in range(1000):
        budgets.record_call("a")
        spent += budgets.spend("a")
    assert spent == pytest.approx(0.2 * 1000 + ACCOUNT_RETRIES, abs=3)
    assert budgets.spend("b"), "each account has its own"


def test_the_process_has_a_retry_budget() -> None:
    budgets = RetryBudgets()
    assert sum(budgets.spend(f"a{number}") for number in range(10_000)) == 500
    for _ in range(100):
        budgets.record_call("x")
    assert sum(budgets.spend(f"b{number}") for number in range(10_000)) in (9, 10)
