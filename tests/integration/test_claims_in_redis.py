"""Shared state in Redis of two users of one application; the second claims the first one's seller ID."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis
from sellergate_amazon.operations import Operation
from sellergate_common.cache.invalidation import InvalidationFeed
from sellergate_common.cache.keyspace import QUOTA_PREFIX, REPORT_DONE, REPORT_PREFIX, report_key
from sellergate_common.errors import QuotaExceeded
from sellergate_common.flights.lease import LeaseNotifier
from sellergate_common.redis_client import open_redis
from sellergate_common.sites import Sites
from sellergate_gateway.credentials.report_types_redis import RedisReportTypes
from sellergate_gateway.model import Account
from sellergate_gateway.quota.buckets import Buckets
from sellergate_gateway.quota.ports import BucketState
from sellergate_gateway.reports.running_redis import RedisRunningReports

from tests.fakes.gateway import ACCOUNT, CATALOGUE, PRODUCTION, RING, SANDBOX, shared_replica

SITE = Sites(PRODUCTION, SANDBOX).of("US", sandbox=False)
CLAIMANT = replace(ACCOUNT, account_id="b", user_id="u2")
BUCKETS = Buckets(RING, 0.2)


def operation(name: str) -> Operation:
    found = CATALOGUE.get(name)
    assert found is not None
    return found


READ = operation("sellers/v1/getMarketplaceParticipations")
LIMITED = operation("listings-items/2021-08-01/patchListingsItem")


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with open_redis(SecretStr(redis_url)) as opened:
        await forget(opened)
        yield opened


async def forget(redis: Redis) -> None:
    for prefix in (REPORT_PREFIX, QUOTA_PREFIX):
        async for name in redis.scan_iter(match=f"{prefix}*"):
            await redis.delete(name)


Seen = tuple[list[BucketState], list[float], str, str]


async def state_of_first_tenant(redis: Redis, meanwhile: Callable[[], Awaitable[None]]) -> Seen:
    """Return the first tenant's buckets, waits, the type of its document and the id of its report."""
    quota, types = shared_replica(redis).limiter, RedisReportTypes(redis, RING)
    running = RedisRunningReports(
        redis, RING, LeaseNotifier(redis, InvalidationFeed(redis), time.monotonic), REPORT_DONE
    )
    await types.remember(ACCOUNT, SITE, "document", "GET_MERCHANT_LISTINGS_ALL_DATA")
    await meanwhile()
    waits, states = [], []
    for one in (READ, LIMITED):
        buckets = BUCKETS.of(ACCOUNT, SITE, one, background=True)
        waits.append((await quota.acquire(buckets, 0.0)).waited)
        for bucket in buckets.all:
            state = await quota.peek(bucket)
            # Spent quota may have refilled before the check.
            states.append(replace(state, reset=0.0, remaining=min(state.remaining, bucket.burst - 1)))
    report = await running.obtain(ACCOUNT, SITE, "request", created("first"))
    return states, waits, await types.get(ACCOUNT, SITE, "document"), report.report_id


def created(report_id: str) -> Callable[[], Awaitable[str]]:
    async def create() -> str:
        return report_id

    return create


async def idle() -> None:
    await asyncio.sleep(0)


async def test_a_false_claim_changes_nothing_for_the_first_user(redis: Redis) -> None:
    attempted = 0

    async def attack() -> None:
        nonlocal attempted
        quota, types = shared_replica(redis).limiter, RedisReportTypes(redis, RING)
        running = RedisRunningReports(
            redis, RING, LeaseNotifier(redis, InvalidationFeed(redis), time.monotonic), REPORT_DONE
        )
        assert await types.get(CLAIMANT, SITE, "document") == ""
        await types.remember(CLAIMANT, SITE, "document", "GET_FLAT_FILE_ORDER_REPORT_DATA_SHIPPING")
        report = await running.obtain(CLAIMANT, SITE, "request", created("claimant's"))
        assert report.created
        await running.record_end(CLAIMANT, SITE, "request", "first")
        for one in (READ, LIMITED):
            buckets = BUCKETS.of(CLAIMANT, SITE, one, background=True)
            try:
                while True:
                    await quota.acquire(buckets, 0.0)
                    attempted += 1
            except QuotaExceeded:
                pass
            await quota.on_throttled(buckets, 60.0)
            await quota.update_rate(buckets, 0.001)
        # A user may also invent sellers, each with its own buckets.
        for number in range(40):
            invented = replace(CLAIMANT, amazon_seller_id=f"A{number}")
            for _ in range(4):
                await quota.acquire(BUCKETS.of(invented, SITE, LIMITED, background=False), 0.0)

    without = await state_of_first_tenant(redis, idle)
    await forget(redis)
    assert await state_of_first_tenant(redis, attack) == without
    assert attempted > 10, "the claimant emptied buckets of its own"


@pytest.mark.parametrize(
    "changes",
    [{"user_id": "u2"}, {"application_id": "other"}, {"amazon_seller_id": "OTHER"}],
    ids=lambda changes: next(iter(changes)),
)
async def test_each_part_of_the_key_separates_users(redis: Redis, changes: dict[str, str]) -> None:
    types, other = RedisReportTypes(redis, RING), replace(ACCOUNT, **changes)  # type: ignore[arg-type]
    await types.remember(ACCOUNT, SITE, "document", "type")
    assert await types.get(other, SITE, "document") == ""
    for site in (Sites(PRODUCTION, SANDBOX).of("DE", sandbox=False), Sites(PRODUCTION, SANDBOX).of("US", sandbox=True)):
        assert await types.get(ACCOUNT, site, "document") == ""
    assert await types.get(replace(ACCOUNT, account_id="another"), SITE, "document") == "type"


async def test_names_of_earlier_releases_are_neither_read_nor_changed(redis: Redis) -> None:
    former = report_key(RING, ACCOUNT.application_id, ACCOUNT.amazon_seller_id, "document")
    running_before = report_key(RING, "running", ACCOUNT.application_id, ACCOUNT.amazon_seller_id, "request")
    await redis.set(former, "yesterday's")
    await redis.set(running_before, "yesterday's")
    assert (await state_of_first_tenant(redis, idle))[2:] == ("GET_MERCHANT_LISTINGS_ALL_DATA", "first")
    assert [await redis.get(name) for name in (former, running_before)] == ["yesterday's"] * 2


def test_names_hold_no_user() -> None:
    account: Account = replace(ACCOUNT, user_id="plainly-visible", amazon_seller_id="AVISIBLE")
    for bucket in BUCKETS.of(account, SITE, LIMITED, background=True).all:
        assert "visible" not in bucket.key.lower()
