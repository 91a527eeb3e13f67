"""Leases end within a bound: whenever their body ends, whatever Redis does, and however long the work takes."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis
from sellergate_common.flights import lease as leases
from sellergate_common.flights.lease import Lease, acquire, hold_lease, lease_keys
from sellergate_common.redis_client import open_redis

from tests.integration.lease_ends import CHANNEL, end_leases


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with open_redis(SecretStr(redis_url)) as opened:
        yield opened


@pytest.fixture
def key() -> str:
    return f"test{secrets.token_hex(4)}:{{a}}"


async def test_leases_end_at_every_moment_of_their_renewal(redis: Redis, key: str) -> None:
    async with asyncio.timeout(60):
        await end_leases(redis, key, 400)


async def test_a_lease_is_renewed_no_longer_than_its_work_may_take(redis: Redis, key: str) -> None:
    lease = await acquire(redis, key, 0.2)
    assert lease
    async with hold_lease(redis, key, lease, CHANNEL, 0.2, longest=0.5):
        async with asyncio.timeout(5):
            while await acquire(redis, key, 60) is None:  # noqa: ASYNC110  (Redis announces no expiry)
                await asyncio.sleep(0.02)
    assert await redis.exists(lease_keys(key)[0])  # its new owner's


async def test_a_holder_cancelled_during_the_release_still_releases(redis: Redis, key: str) -> None:
    lease = await acquire(redis, key, 60)
    assert lease
    leaving = asyncio.Event()

    async def hold() -> None:
        async with hold_lease(redis, key, lease, CHANNEL, 60):
            leaving.set()

    holding = asyncio.create_task(hold())
    await leaving.wait()
    holding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await holding
    async with asyncio.timeout(5):
        while await redis.exists(lease_keys(key)[0]):  # noqa: ASYNC110  (likewise)
            await asyncio.sleep(0.01)


class Silent:
    """A Redis that never responds, under a client that ignores every cancellation until the test is over."""

    def __init__(self) -> None:
        self.over = asyncio.Event()

    async def eval(self, *_: Any) -> None:
        while not self.over.is_set():
            try:
                await self.over.wait()
            except asyncio.CancelledError:
                continue


class Reset:
    """A Redis whose connection a peer resets while it is set up, on uvloop."""

    async def eval(self, *_: Any) -> None:
        raise RuntimeError("unable to perform operation on <TCPTransport closed=True>; the handler is closed")


async def used(redis: object, key: str) -> str:
    async with hold_lease(cast("Redis", redis), key, Lease("x", "y", 1), CHANNEL, 0.03):
        await asyncio.sleep(0.05)
        return "result"


async def test_an_error_of_redis_does_not_replace_the_result(key: str) -> None:
    assert await used(Reset(), key) == "result"


async def test_a_client_that_cannot_be_cancelled_does_not_hold_the_result(
    key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "COMMAND_SECONDS", 0.1)
    monkeypatch.setattr(leases, "END_SECONDS", 0.1)
    silent = Silent()
    async with asyncio.timeout(30):
        assert await used(silent, key) == "result"
    silent.over.set()
