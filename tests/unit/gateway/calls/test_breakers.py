"""The circuit breaker of a host, and the budgets of retries."""

import pytest
from sellergate_common.errors import Unavailable
from sellergate_gateway.calls.breakers import LEAST_CALLS, Breakers
from sellergate_gateway.calls.retries import ACCOUNT_RETRIES, RetryBudgets
from sellergate_gateway.spapi.http import FateUnknown, NotSent

from tests.fakes.gateway import BUSY, HTML, OK, WRITE, World


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def opened(clock: Clock) -> Breakers:
    breakers = Breakers(clock)
    for _ in range(LEAST_CALLS):
        breakers.enter("h")
        breakers.ended("h", failed=True)
    return breakers


def refuses(breakers: Breakers, host: str = "h") -> float | None:
    try:
        breakers.check(host)
    except Unavailable as error:
        return error.retry_after
    return None


def test_a_host_that_is_down_is_left_alone_and_found_again_by_one_probe() -> None:
    clock = Clock()
    breakers = opened(clock)
    assert refuses(breakers) == pytest.approx(2.0)
    assert refuses(breakers, "another") is None
    clock.now += 2.1
    breakers.check("h")
    breakers.enter("h")
    assert refuses(breakers), "one probe at a time"
    breakers.ended("h", failed=True)
    assert refuses(breakers) == pytest.approx(4.0)
    clock.now += 4.1
    breakers.enter("h")
    breakers.ended("h", failed=False)
    assert refuses(breakers) is None
    assert breakers.state() == {"h": False}


def test_a_probe_that_nobody_ends_is_over_after_a_while() -> None:
    clock = Clock()
    breakers = opened(clock)
    clock.now += 2.1
    breakers.enter("h")
    clock.now += 14
    assert refuses(breakers)
    clock.now += 2
    assert refuses(breakers) is None


def test_few_failures_among_many_successes_open_nothing() -> None:
    clock = Clock()
    breakers = Breakers(clock)
    for number in range(1000):
        breakers.ended("h", failed=number % 4 == 0)
        clock.now += 0.01
    assert refuses(breakers) is None
    for _ in range(LEAST_CALLS - 1):
        clock.now += 20
        breakers.ended("h", failed=True)
    assert refuses(breakers) is None, "so few, so far apart"


@pytest.mark.parametrize(
    ("step", "opens"),
    [
        (NotSent("refused"), True),
        (FateUnknown("reset"), True),
        (HTML, True),
        (BUSY, False),
        (FateUnknown("no complete answer", late=True), False),
    ],
)
async def test_what_opens_it(step: object, opens: bool) -> None:
    world = World(steps=[step], left=3.0)  # type: ignore[list-item]
    for _ in range(LEAST_CALLS):
        await world.refused(WRITE)
    sent = len(world.sent)
    error = await world.refused(WRITE)
    assert (len(world.sent) == sent) is opens
    if opens:
        assert "nothing was sent" in error.message
        assert world.log[-1] == "account", "before any token or quota is asked for"
        world.clock += 60
        world.steps = [OK]
        await world.make(WRITE)


def test_retries_are_a_share_of_calls() -> None:
    budgets = RetryBudgets()
    spent = 0
    for _ in range(1000):
        budgets.called("a")
        spent += budgets.spend("a")
    assert spent == pytest.approx(0.2 * 1000 + ACCOUNT_RETRIES, abs=3)
    assert budgets.spend("b"), "each account has its own"


def test_the_process_has_a_budget_too() -> None:
    budgets = RetryBudgets()
    assert sum(budgets.spend(f"a{number}") for number in range(10_000)) == 500
    for _ in range(100):
        budgets.called("x")
    assert sum(budgets.spend(f"b{number}") for number in range(10_000)) in (9, 10)
