"""Authorizations that were begun: the fake and the real Redis hold to one contract; what lies in Redis tells nothing."""

import asyncio
import base64
import json
import os
import secrets
from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis
from sellergate_common.crypto.sealing import KeyRing
from sellergate_common.errors import Unavailable
from sellergate_common.redis_client import open_redis
from sellergate_token.authorizations.ports import Pending, States
from sellergate_token.authorizations.redis import RedisStates

from tests.fakes.token import FakeStates


def new_ring() -> KeyRing:
    return KeyRing.parse(f"k1 {base64.urlsafe_b64encode(os.urandom(64)).decode()}")


RING = new_ring()
PENDING = Pending("user-7", "app-7", "DE", "VENDOR", "https://ours.example/cb", "ab" * 32, "WEBSITE", "", 1234.5)


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with open_redis(SecretStr(redis_url)) as opened:
        yield opened


@pytest.fixture(params=["fake", "redis"])
def states(request: pytest.FixtureRequest, redis: Redis) -> States:
    return RedisStates(redis, RING) if request.param == "redis" else FakeStates([0.0])


def new_state() -> SecretStr:
    return SecretStr(secrets.token_urlsafe(32))


async def test_a_state_is_given_out_once(states: States) -> None:
    state = new_state()
    assert await states.take(state) is None
    await states.keep(state, PENDING, 600)
    assert await states.take(SecretStr(state.get_secret_value()[:-1])) is None
    assert await states.take(state) == PENDING
    assert await states.take(state) is None


async def test_of_many_who_ask_at_once_one_gets_it(states: States) -> None:
    state = new_state()
    await states.keep(state, PENDING, 600)
    found = await asyncio.gather(*(states.take(state) for _ in range(20)))
    assert [one for one in found if one] == [PENDING]


async def test_a_state_ends_by_itself(redis: Redis) -> None:
    states, state = RedisStates(redis, RING), new_state()
    await states.keep(state, PENDING, 0.05)
    await asyncio.sleep(0.1)
    assert await states.take(state) is None
    before = {key async for key in redis.scan_iter("state:*")}
    await states.keep(state, PENDING, 600)
    (name,) = {key async for key in redis.scan_iter("state:*")} - before
    assert 590_000 < await redis.pttl(name) <= 600_000


async def test_redis_holds_neither_the_state_nor_what_was_begun(redis: Redis) -> None:
    states, state = RedisStates(redis, RING), new_state()
    before = {key async for key in redis.scan_iter("state:*")}
    await states.keep(state, PENDING, 600)
    (name,) = {key async for key in redis.scan_iter("state:*")} - before
    value = str(await redis.get(name))
    header = json.loads(base64.urlsafe_b64decode(value.partition(".")[0] + "=="))
    assert (header["enc"], header["place"]) == ("A256CBC-HS512", name)
    for text in (state.get_secret_value(), "user-7", "app-7", "ours.example"):
        assert text not in name
        assert text not in value


async def test_what_was_moved_changed_or_sealed_by_another_is_none(redis: Redis) -> None:
    states, one, other = RedisStates(redis, RING), new_state(), new_state()
    before = {key async for key in redis.scan_iter("state:*")}
    await states.keep(one, PENDING, 600)
    (name,) = {key async for key in redis.scan_iter("state:*")} - before
    value = str(await redis.get(name))
    await states.keep(other, PENDING, 600)
    (second,) = {key async for key in redis.scan_iter("state:*")} - before - {name}
    await redis.set(second, value)
    assert await states.take(other) is None
    await redis.set(name, "garbage")
    assert await states.take(one) is None
    await states.keep(one, PENDING, 600)
    assert await RedisStates(redis, new_ring()).take(one) is None
    assert await states.take(one) == PENDING


async def test_without_redis_nothing_is_kept_and_nothing_is_given_out() -> None:
    async with open_redis(SecretStr("redis://127.0.0.1:1")) as gone:
        states = RedisStates(gone, RING)
        with pytest.raises(Unavailable):
            await states.keep(new_state(), PENDING, 600)
        with pytest.raises(Unavailable):
            await states.take(new_state())
