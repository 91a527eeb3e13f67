"""Replicas whose clocks differ, on a real Redis: no expired value is returned, and the skew is reported."""

import asyncio
import random
import secrets
import time
from collections.abc import AsyncIterator

import pytest
from prometheus_client import CollectorRegistry
from pydantic import SecretStr
from redis.asyncio import Redis
from sellergate_common.clock import Clock
from sellergate_common.clock_skew import measured_skew
from sellergate_common.redis_client import open_redis
from sellergate_common.tasks import BackgroundTasks

from tests.integration.replicas import Replica, Source, Value

SKEWS = (-300.0, 0.0, 300.0)


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with open_redis(SecretStr(redis_url)) as opened:
        yield opened


def skewed(seconds: float) -> Clock:
    return Clock(wall=lambda: time.time() + seconds)


class Amazon(Source):
    """A source that records when each value expires by the right clock; the caller records it by its own."""

    def __init__(self, life: float) -> None:
        super().__init__(life)
        self.ends: dict[str, float] = {}

    async def fetch_by(self, clock: Clock) -> Value:
        self.fetched += 1
        text = f"value {self.fetched}"
        self.ends[text] = time.time() + self.life
        return Value(text, clock.wall() + self.life, self.life)


@pytest.mark.parametrize("writer", SKEWS)
@pytest.mark.parametrize("reader", SKEWS)
async def test_no_expired_value_is_returned(redis: Redis, writer: float, reader: float) -> None:
    prefix, amazon = f"test{secrets.token_hex(4)}:", Amazon(life=1.5)
    clocks = skewed(writer), skewed(reader)
    replicas = [Replica(redis, prefix, clock=clock) for clock in clocks]
    end = time.monotonic() + 2.5
    while time.monotonic() < end:
        for replica, clock in zip(replicas, clocks, strict=True):
            requested_at = time.time()
            found = await replica.entries.obtain("a", None, lambda clock=clock: amazon.fetch_by(clock))  # type: ignore[misc]
            assert amazon.ends[found.value.text] > requested_at
        await asyncio.sleep(random.uniform(0, 0.05))
    assert amazon.fetched >= 2


@pytest.mark.parametrize(
    ("seconds", "problem"),
    [
        (0.0, ""),
        (300.0, "this machine's clock is 300 s ahead of that of Redis"),
        (-8.0, "this machine's clock is 8 s behind"),
    ],
)
async def test_the_skew_is_a_metric_and_a_condition(redis: Redis, seconds: float, problem: str) -> None:
    background, registry = BackgroundTasks(), CollectorRegistry()
    async with measured_skew(redis, "test:", skewed(seconds), background, registry) as skew:
        await skew.measure()
        assert background.problems()["clock_skew"].startswith(problem)
        assert bool(background.problems()["clock_skew"]) == bool(problem)
        assert registry.get_sample_value("sellergate_clock_skew_seconds") == pytest.approx(seconds, abs=2)
