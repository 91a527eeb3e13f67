"""Work after Amazon's response never changes the outcome of a call."""

import asyncio
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from sellergate_common.errors import Reason
from sellergate_common.sites import Site
from sellergate_gateway.calls.follow_ups import RETURN_SECONDS, FollowUps
from sellergate_gateway.model import AccessToken, Account
from sellergate_gateway.quota.ports import BucketSet
from sellergate_gateway.spapi.request import SpApiCall
from structlog.testing import capture_logs

from tests.fakes.gateway import EXPIRED, OK, READ, THROTTLED, WRITE, World
from tests.fakes.virtual_time import run_in_virtual_time

REPORT = SpApiCall("a", operation="reports/2021-06-30/getReport", path_params={"reportId": "r"})
RATED = replace(OK, headers=(("x-amzn-RateLimit-Limit", "16.7"),))
NAMED = replace(OK, body=b'{"reportDocumentId": "d", "reportType": "t"}')
# Errors that a client of Redis or gRPC may raise in addition to its documented ones.
FAILURES = [RuntimeError("the handler is closed"), TypeError("NoneType"), asyncio.CancelledError(), OSError("reset")]


@dataclass
class Failing(World):
    """A world in which all work after a response fails."""

    failure: BaseException = field(default_factory=RuntimeError)

    async def update_rate(self, buckets: BucketSet, rate: float) -> None:
        raise self.failure

    async def on_throttled(self, buckets: BucketSet, seconds: float) -> None:
        raise self.failure

    async def remember(self, account: Account, site: Site, document_id: str, report_type: str) -> None:
        raise self.failure

    async def invalidate(self, account: Account, token: AccessToken) -> bool:
        raise self.failure


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
@pytest.mark.parametrize(("call", "response"), [(WRITE, RATED), (READ, RATED), (REPORT, NAMED)])
async def test_a_success_stays_a_success(call: SpApiCall, response: Any, failure: BaseException) -> None:
    with capture_logs() as logs:
        done = await Failing(steps=[response], failure=failure).make(call)
    assert (done.response, done.attempts) == (response, 1)
    if isinstance(failure, Exception):
        assert [(entry["event"], entry["cause"]) for entry in logs] == [
            ("after_response_failed", type(failure).__name__)
        ]


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
async def test_a_refusal_stays_amazons_response(failure: BaseException) -> None:
    on_throttled = await Failing(steps=[THROTTLED], failure=failure).refused(WRITE)
    assert on_throttled.reason is Reason.AMAZON_QUOTA_EXCEEDED
    # The token may have been replaced, although this is unknown: the call is sent once more with what there is.
    world = Failing(steps=[EXPIRED], failure=failure)
    assert ((await world.refused(WRITE)).reason, len(world.sent)) == (Reason.AMAZON_DENIED, 2)


def test_a_response_is_returned_before_the_deadline_and_the_work_continues() -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        deadline, finished = loop.time() + 0.5, asyncio.Event()
        follow_ups = FollowUps(lambda: deadline - loop.time())

        async def slow() -> str:
            await asyncio.sleep(2)
            finished.set()
            return "late"

        assert await follow_ups.run("slow", slow(), "default") == "default"
        assert deadline - loop.time() == pytest.approx(RETURN_SECONDS)
        await finished.wait()

        finished.clear()
        deadline = loop.time() + 60
        caller = asyncio.create_task(follow_ups.run("slow", slow(), "default"))
        await asyncio.sleep(1)
        caller.cancel()
        await finished.wait()
        assert caller.cancelled()

    run_in_virtual_time(scenario())


def test_a_late_loop_changes_no_outcome_and_a_disconnected_caller_gets_none() -> None:
    """The deadline passes before the timer that would have ended the wait runs."""

    async def scenario() -> None:
        left = 60.0
        follow_ups = FollowUps(lambda: left)
        late = asyncio.create_task(follow_ups.run("slow", asyncio.sleep(2), "default"))
        await asyncio.sleep(1)
        left = 0.0
        late.cancel()
        assert await late == "default"
        left = 60.0
        leaving = asyncio.create_task(follow_ups.run("slow", asyncio.sleep(2), "default"))
        await asyncio.sleep(1)
        leaving.cancel()
        await asyncio.wait({leaving})
        assert leaving.cancelled()

    run_in_virtual_time(scenario())


def test_work_that_hangs_is_cancelled() -> None:
    async def scenario() -> None:
        follow_ups = FollowUps(lambda: 60.0)
        with capture_logs() as logs:
            assert await follow_ups.run("hangs", asyncio.Event().wait(), default=False) is False
            await asyncio.sleep(1)
        assert [entry["cause"] for entry in logs] == ["TimeoutError"]

    run_in_virtual_time(scenario())
