"""Reports that callers and replicas share through a real Redis: those that a new request may get."""

import asyncio
import json
import math
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis
from sellergate_common.cache.invalidation import InvalidationFeed
from sellergate_common.cache.keyspace import REPORT_DONE, REPORT_PREFIX
from sellergate_common.errors import AmazonRefused, OutcomeUnknown, Reason, SellergateError, Unavailable
from sellergate_common.flights.lease import LeaseNotifier
from sellergate_common.redis_client import open_redis
from sellergate_gateway.documents.download import Head
from sellergate_gateway.reports import running_redis
from sellergate_gateway.reports.run import FINISHED_SECONDS, UNSEEN_SECONDS, Progress, ReportRequest, ReportRuns
from sellergate_gateway.reports.running_redis import RedisRunningReports
from sellergate_gateway.spapi.http import AmazonRequest, AmazonResponse

from tests.fakes.gateway import RING, World

REQUEST = ReportRequest("a", "GET_MERCHANT_LISTINGS_ALL_DATA", ("ATVPDKIKX0DER",))
MAKING_SECONDS = 300.0


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with open_redis(SecretStr(redis_url)) as opened:
        async for name in opened.scan_iter(match=f"{REPORT_PREFIX}*"):
            await opened.delete(name)
        yield opened


@dataclass
class Reports(World):
    """A world in which reports take five minutes; `now` is the clock of Amazon and of this process."""

    now: float = 1_800_000_000.0
    created: list[float] = field(default_factory=list)
    polls: int = 0
    making: float = MAKING_SECONDS
    unseen_until: float = 0.0
    """The time until which Amazon does not show an unfinished report."""
    failure: str = ""
    """The state in which a report ends instead of DONE."""
    dates: bool = True
    blank: list[str] = field(default_factory=list)
    """The methods of the next requests whose responses have no body."""

    async def send(self, request: AmazonRequest, seconds: float) -> AmazonResponse:
        headers = (("date", format_datetime(datetime.fromtimestamp(self.now, UTC), usegmt=True)),)
        if self.blank and self.blank[0] == request.method:
            self.blank.pop(0)
            request.sent = True
            return AmazonResponse(202 if request.method == "POST" else 200, headers, b"")
        if request.method == "POST":
            self.created.append(self.now)
            return AmazonResponse(202, headers, json.dumps({"reportId": f"r{len(self.created)}"}).encode())
        self.polls += 1
        if self.now < self.unseen_until:
            return AmazonResponse(404, headers, b'{"errors": [{"code": "NotFound", "message": "m"}]}')
        report_id = request.url.rpartition("/")[2]
        created = self.created[int(report_id.removeprefix("r")) - 1]
        status = (self.failure or "DONE") if self.now - created >= self.making else "IN_PROGRESS"
        report = {"reportId": report_id, "processingStatus": status}
        if self.failure:
            report["reportDocumentId"] = "d1"
        report["createdTime"] = datetime.fromtimestamp(created, UTC).isoformat()
        return AmazonResponse(200, headers if self.dates else (), json.dumps(report).encode())


@dataclass
class ReasonDocument:
    """Documents that hold a text; an empty one is unavailable."""

    text: str

    async def download(self, *_: object) -> AsyncIterator[Head | bytes]:
        if not self.text:
            raise Unavailable("later")
        yield Head("iso-8859-1", "text/plain", 0)
        yield self.text.encode()


@dataclass
class Replica:
    """One gateway. Its callers pause until the test resumes them."""

    world: Reports
    redis: Redis
    goes_on: asyncio.Event = field(default_factory=asyncio.Event)
    documents: Any = None

    def __post_init__(self) -> None:
        releases = LeaseNotifier(self.redis, InvalidationFeed(self.redis), time.monotonic)
        self.running = RedisRunningReports(self.redis, RING, releases, REPORT_DONE)

    async def pause(self, seconds: float) -> None:
        if self.world.now < self.world.unseen_until:
            self.world.now += seconds
            return
        await self.goes_on.wait()
        self.goes_on.clear()

    async def first(self, runs: Any) -> str:
        part = await anext(runs)
        assert isinstance(part, Progress)
        return part.report_id

    def run(self) -> Any:
        runs = ReportRuns(self.world.calls, self.documents, self.running, self.pause, lambda: self.world.now)
        return runs.run(REQUEST, "")

    async def left(self) -> str:
        """Request a report and cancel the caller as soon as Amazon has the request."""
        async with aclosing(self.run()) as runs:
            return await self.first(runs)


async def entries(redis: Redis) -> list[str]:
    return [name async for name in redis.scan_iter(match=f"{REPORT_PREFIX}*") if not name.endswith(("lease", "fence"))]


@pytest.mark.parametrize("dates", [True, False])
async def test_an_abandoned_finished_report_serves_no_later_request(redis: Redis, dates: bool) -> None:
    world = Reports(dates=dates)
    one, other = Replica(world, redis), Replica(world, redis)
    assert await one.left() == "r1"
    world.now += MAKING_SECONDS + 60
    assert await other.left() == "r2"
    assert await one.left() == "r2", "that one is being made"


async def test_a_just_finished_report_serves_simultaneous_callers(redis: Redis) -> None:
    world = Reports(making=10)
    assert await Replica(world, redis).left() == "r1"
    world.now += FINISHED_SECONDS
    assert await Replica(world, redis).left() == "r1"
    world.now += 1
    assert await Replica(world, redis).left() == "r2"


async def test_the_entry_of_a_report_without_a_caller_expires(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the end of the lease shows that the gateway was killed."""
    monkeypatch.setattr(running_redis, "POLLED_SECONDS", 1)
    world = Reports()
    assert await Replica(world, redis).left() == "r1"
    async with asyncio.timeout(10):
        while await entries(redis):  # noqa: ASYNC110  (it has no event)
            await asyncio.sleep(0.05)
    assert await Replica(world, redis).left() == "r2"


async def test_a_report_is_shared_while_a_caller_polls_it(redis: Redis) -> None:
    world = Reports()
    one, other = Replica(world, redis), Replica(world, redis)
    runs = one.run()
    async with aclosing(runs):
        assert await one.first(runs) == "r1"
        assert (await anext(runs)).status == "IN_PROGRESS"
        (name,) = await entries(redis)
        await redis.expire(name, 5)
        polls = world.polls
        waiting = asyncio.create_task(anext(runs))
        world.now += MAKING_SECONDS / 2
        one.goes_on.set()
        async with asyncio.timeout(10):
            while world.polls == polls or await redis.ttl(name) <= 5:  # noqa: ASYNC110  (likewise)
                await asyncio.sleep(0.01)
        assert await other.left() == "r1"
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)


async def test_a_report_that_amazon_has_lost_serves_no_request(redis: Redis) -> None:
    world = Reports()
    assert await Replica(world, redis).left() == "r1"
    world.unseen_until = math.inf
    assert await Replica(world, redis).left() == "r2"


async def test_a_report_that_amazon_does_not_show_yet_is_shared(redis: Redis) -> None:
    world = Reports(making=5.0)
    world.unseen_until = world.now + 10.0
    assert await Replica(world, redis).left() == "r1"
    assert await Replica(world, redis).left() == "r1"
    world.unseen_until = world.now + 10.0
    with pytest.raises(AmazonRefused, match="without a document"):
        [part async for part in Replica(world, redis).run()]


async def test_a_report_that_stays_unknown_ends_the_run_and_its_entry(redis: Redis) -> None:
    world = Reports()
    world.unseen_until = math.inf
    began = world.now
    with pytest.raises(SellergateError) as caught:
        [part async for part in Replica(world, redis).run()]
    assert caught.value.reason is Reason.AMAZON_NOT_FOUND
    assert world.now - began <= UNSEEN_SECONDS
    assert await entries(redis) == []


@pytest.mark.parametrize("status", ["FATAL", "CANCELLED"])
async def test_the_reason_of_a_failed_report_is_in_the_error(redis: Redis, status: str) -> None:
    world = Reports(making=0.0, failure=status)
    with pytest.raises(AmazonRefused) as caught:
        [part async for part in Replica(world, redis, documents=ReasonDocument("No data for\r\nthe time.\x00")).run()]
    assert caught.value.reason is Reason.AMAZON_REJECTED
    assert "Amazon's reason: No data for the time.?" in caught.value.message
    assert caught.value.metadata["processing_status"] == status
    assert caught.value.metadata["amazon_message"] == "No data for the time.?"
    with pytest.raises(AmazonRefused) as caught:
        [part async for part in Replica(world, redis, documents=ReasonDocument("")).run()]
    assert "reason:" not in caught.value.message, "a document that cannot be read changes nothing"


async def test_simultaneous_callers_share_one_report(redis: Redis) -> None:
    world = Reports()
    replicas = [Replica(world, redis) for _ in range(3)]
    ids = await asyncio.gather(*(replica.left() for replica in replicas for _ in range(10)))
    assert (set(ids), len(world.created)) == ({"r1"}, 1)


async def test_a_blank_response_does_not_end_a_run(redis: Redis) -> None:
    world = Reports(making=0.0)
    replica = Replica(world, redis)
    world.blank = ["POST"]
    with pytest.raises(OutcomeUnknown) as caught:
        await replica.left()
    assert (caught.value.reason, world.created) == (Reason.AMAZON_OUTCOME_UNKNOWN, [])
    world.blank = ["GET"]
    async with aclosing(replica.run()) as runs:
        assert [(await anext(runs)).status for _ in range(2)] == ["IN_QUEUE", "DONE"]
    assert (len(world.created), world.polls, world.blank) == (1, 1, [])
