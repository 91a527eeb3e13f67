"""Retries of calls refused under overload: at the service's retry time, and only by the program that began the call."""

import asyncio

import pytest
from sellergate_client.rpc.retries import retry_until
from sellergate_common.context import CallContext, use_context
from sellergate_common.errors import NotFound, Overloaded, SellergateError, Unavailable

from tests.fakes.virtual_time import run_in_virtual_time


def refused(service: str, retry_after: float | None = 2.0) -> Overloaded:
    return Overloaded("More than can be done in time.", domain=f"sellergate.{service}", retry_after=retry_after)


def outcome_of(
    errors: list[SellergateError], service: str = "account", seconds: float = 60.0, within: bool | None = None
) -> tuple[str, int, float]:
    """Return the outcome of a call whose attempts raise `errors` in turn, the number of attempts, and the time of its end."""
    attempts = 0

    async def attempt() -> str:
        nonlocal attempts
        attempts += 1
        if attempts <= len(errors):
            raise errors[attempts - 1]
        return "done"

    async def main() -> tuple[str, int, float]:
        loop = asyncio.get_running_loop()
        try:
            found = await retry_until(attempt, service=service, end=seconds, serving=within, now=loop.time)
        except SellergateError as error:
            found = error.reason
        return found, attempts, loop.time()

    return run_in_virtual_time(main())


def test_a_refused_call_is_repeated_when_the_service_says() -> None:
    assert outcome_of([]) == ("done", 1, 0.0)
    assert outcome_of([refused("account", 2.0), refused("account", 0.5)]) == ("done", 3, 2.5)


def test_it_is_repeated_only_while_there_is_time() -> None:
    assert outcome_of([refused("account", 2.0)] * 5, seconds=5.0) == ("OVERLOADED", 3, 4.0)
    assert outcome_of([refused("account", 9.0)], seconds=5.0) == ("OVERLOADED", 1, 0.0)
    assert outcome_of([refused("account", None)]) == ("OVERLOADED", 1, 0.0)


@pytest.mark.parametrize(
    "error",
    [NotFound("There is no such account."), Unavailable("It is down.", retry_after=1.0)],
    ids=lambda one: one.reason,
)
def test_no_other_error_is_a_reason_to_repeat(error: SellergateError) -> None:
    assert outcome_of([error]) == (error.reason, 1, 0.0)


def test_a_call_is_not_retried_if_a_service_had_begun_it_before_another_refused() -> None:
    assert outcome_of([refused("account")], service="token") == ("OVERLOADED", 1, 0.0)
    assert outcome_of([refused("token")], service="gateway") == ("done", 2, 2.0)  # the gateway begins a call last


@pytest.mark.parametrize(("within", "outcome"), [(None, "OVERLOADED"), (True, "OVERLOADED"), (False, "done")])
def test_a_process_that_serves_a_call_passes_the_refusal_on_unless_no_caller_could_repeat_it(
    within: bool | None, outcome: str
) -> None:
    with use_context(CallContext("test", "1")):
        assert outcome_of([refused("account")], within=within)[0] == outcome
