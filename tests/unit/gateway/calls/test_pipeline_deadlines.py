"""Deadlines after a request was sent: no error says that it was not executed, however late a busy event loop is."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any

import pytest
from sellergate_common.context import HOP_SECONDS, CallContext
from sellergate_common.errors import OutOfTime, Reason, SellergateError
from sellergate_common.rpc.deadlines import within_deadline
from sellergate_gateway.calls.preparing import LARGEST_SHARE, LATENESS_TIMES
from sellergate_gateway.calls.sending import RESERVE_SECONDS
from sellergate_gateway.spapi.http import AmazonRequest, AmazonResponse, ConnectError, ResponseLost
from sellergate_gateway.spapi.request import SpApiCall

from tests.fakes.gateway import BUSY, EXPIRED, HTML, OK, READ, THROTTLED, WRITE, World
from tests.fakes.virtual_time import run_in_virtual_time

PUT = SpApiCall("a", "PUT", "/listings/2021-08-01/items/S/sku", body=b"{}")
RATED = replace(OK, headers=(("x-amzn-RateLimit-Limit", "16.7"),))
RESET = ResponseLost("ServerDisconnectedError")
SECONDS = 2.0


@dataclass
class Timed(World):
    """A world whose call has SECONDS, and whose Amazon ignores the given time."""

    connecting: float = 0.0
    responding: float = 0.0
    learning: float = 0.0

    async def send(self, request: AmazonRequest, seconds: float) -> AmazonResponse:
        await asyncio.sleep(self.connecting)
        response = await super().send(request, seconds)
        await asyncio.sleep(self.responding)
        return response

    async def update_rate(self, *given: Any) -> None:
        await asyncio.sleep(self.learning)
        await super().learn(*given)


def outcome(world: Timed, call: SpApiCall, ended: Callable[[Coroutine[Any, Any, Any]], Any]) -> Any:
    """Return the reason with which a call ends, or its status."""

    async def scenario() -> Any:
        loop = asyncio.get_running_loop()
        world.time_left = lambda: max(0.0, SECONDS - HOP_SECONDS - loop.time())
        try:
            return (await ended(world.make(call))).response.status
        except SellergateError as error:
            return error.reason

    return run_in_virtual_time(scenario())


async def by_deadline(call: Coroutine[Any, Any, Any]) -> Any:
    """End a call as the server does when its time is over."""
    return await within_deadline(CallContext("m", "r"), SECONDS, lambda: call, streams=False)


async def by_cancellation(call: Coroutine[Any, Any, Any]) -> Any:
    """End a call as gRPC does when its time is over: its task is cancelled."""
    task = asyncio.create_task(call)
    asyncio.get_running_loop().call_later(SECONDS, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        raise OutOfTime("cancelled") from None


@pytest.mark.parametrize("ended", [by_deadline, by_cancellation])
def test_a_write_whose_deadline_passes_after_sending_has_an_unknown_outcome(ended: Any) -> None:
    assert outcome(Timed(responding=60.0), WRITE, ended) is Reason.AMAZON_OUTCOME_UNKNOWN
    assert outcome(Timed(steps=[THROTTLED, OK], responding=1.5), WRITE, ended) is Reason.AMAZON_OUTCOME_UNKNOWN
    assert outcome(Timed(connecting=60.0), WRITE, ended) is Reason.DEADLINE_EXCEEDED, "nothing was sent"
    assert outcome(Timed(responding=60.0), READ, ended) is Reason.DEADLINE_EXCEEDED


@pytest.mark.parametrize("ended", [by_deadline, by_cancellation])
@pytest.mark.parametrize("call", [WRITE, READ])
def test_amazons_response_is_the_outcome_though_the_deadline_passes_during_follow_ups(
    call: SpApiCall, ended: Any
) -> None:
    """The response arrives at the deadline."""
    world = Timed(steps=[RATED], responding=SECONDS - 0.021, learning=60.0)
    assert outcome(world, call, ended) == 200


def test_a_disconnected_caller_ends_its_call() -> None:
    async def scenario() -> None:
        world = Timed(responding=60.0)
        loop = asyncio.get_running_loop()
        world.time_left = lambda: SECONDS - loop.time()
        call = asyncio.create_task(world.make(WRITE))
        await asyncio.sleep(1.0)
        call.cancel()
        await asyncio.wait({call})
        assert call.cancelled()

    run_in_virtual_time(scenario())


async def test_a_late_loop_shortens_the_wait_for_amazon_within_a_bound() -> None:
    world = World(left=4.0, lateness=0.1)
    await world.make(WRITE)
    assert world.seconds == [pytest.approx(4.0 - RESERVE_SECONDS - LATENESS_TIMES * 0.1)]
    world = World(left=4.0, lateness=30.0)
    await world.make(WRITE)
    assert world.seconds == [pytest.approx(4.0 * (1 - LARGEST_SHARE) - RESERVE_SECONDS)]


@pytest.mark.parametrize(
    ("first", "call", "reason"),
    [
        (RESET, PUT, Reason.AMAZON_UNAVAILABLE),
        (HTML, PUT, Reason.AMAZON_UNAVAILABLE),
        (BUSY, PUT, Reason.AMAZON_UNAVAILABLE),
        (BUSY, WRITE, Reason.AMAZON_UNAVAILABLE),
        (THROTTLED, WRITE, Reason.AMAZON_QUOTA_EXCEEDED),
        (ConnectError("refused"), WRITE, Reason.AMAZON_UNAVAILABLE),
        (EXPIRED, WRITE, Reason.LOCAL_QUOTA_EXCEEDED),
    ],
)
async def test_without_a_slot_for_another_attempt_amazons_last_outcome_is_the_result(
    first: Any, call: SpApiCall, reason: Reason
) -> None:
    world = World(steps=[first, OK], waits=[0.0, 60.0])
    assert (await world.refused(call)).reason is reason
    assert len(world.sent) == 1
    if isinstance(first, AmazonResponse):
        as_is = World(steps=[first, OK], waits=[0.0, 60.0])
        assert (await as_is.make(call, as_is=True)).response is first


@dataclass
class Closing(World):
    """A world whose account is deactivated after the first request."""

    async def send(self, request: AmazonRequest, seconds: float) -> AmazonResponse:
        self.account = replace(self.account, state="INACTIVE")
        return await super().send(request, seconds)


async def test_a_request_that_may_have_been_executed_is_never_reported_as_not_sent() -> None:
    """The account is read again after each wait for quota."""
    world = Closing(steps=[RESET, OK], waits=[0.0, 1.0])
    assert (await world.refused(PUT)).reason is Reason.AMAZON_UNAVAILABLE
    undone = Closing(steps=[BUSY, OK], waits=[0.0, 1.0])
    assert (await undone.refused(WRITE)).reason is Reason.ACCOUNT_INACTIVE
    assert (len(world.sent), len(undone.sent)) == (1, 1)
