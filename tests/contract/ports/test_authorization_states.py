"""Pending authorizations: the fake and the real Redis follow one contract, and values in Redis reveal nothing."""

import asyncio
import base64
import json
import os
import secrets
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis
from sellergate_common.cache.keyspace import state_key
from sellergate_common.crypto.sealing import KeyRing
from sellergate_common.errors import Unavailable
from sellergate_common.redis_client import open_redis
from sellergate_token.authorizations.ports import Pending, Progress, Refusal, States, StoredAuthorization
from sellergate_token.authorizations.redis import RedisStates

from tests.fakes.token import FakeStates


def new_ring() -> KeyRing:
    return KeyRing.parse(f"k1 {base64.urlsafe_b64encode(os.urandom(64)).decode()}")


RING = new_ring()
PENDING = Pending("user-7", "app-7", "DE", "VENDOR", "https://ours.example/cb", "ab" * 32, "WEBSITE", "", 1234.5)
BUSY = Progress(PENDING, "A1SELLER", "cd" * 32, busy_until=2000.5)
REDEEMED = replace(BUSY, refresh_token=SecretStr("Atzr|secret"))
CONNECTED = replace(BUSY, busy_until=0.0, account_id="account-7")
REFUSED = replace(BUSY, refusal=Refusal("INVALID_REQUEST", "code: is refused", (("code", "is refused"),)))


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with open_redis(SecretStr(redis_url)) as opened:
        yield opened


@pytest.fixture(params=["fake", "redis"])
def states(request: pytest.FixtureRequest, redis: Redis) -> States:
    return RedisStates(redis, RING) if request.param == "redis" else FakeStates([0.0])


def new_state() -> SecretStr:
    return SecretStr(secrets.token_urlsafe(32))


async def test_a_state_is_found_until_it_advances_and_then_with_its_progress(states: States) -> None:
    state = new_state()
    assert await states.find(state) is None
    await states.keep(state, PENDING, 600)
    assert await states.find(SecretStr(state.get_secret_value()[:-1])) is None
    begun = await states.find(state)
    assert begun == await states.find(state), "a read changes nothing"
    assert begun is not None
    assert (begun.pending, begun.progress) == (PENDING, None)
    for progress in (BUSY, REDEEMED, CONNECTED, REFUSED):
        before = await states.find(state)
        assert before is not None
        after = await states.advance(state, before, progress, 600)
        assert after is not None
        assert (after.pending, after.progress) == (PENDING, progress)
        assert await states.find(state) == after
        assert await states.advance(state, before, BUSY, 600) is None, "it has changed since"
    assert await states.advance(state, begun, BUSY, 600) is None
    assert (found := await states.find(state)) is not None
    assert found.progress == REFUSED


@pytest.mark.parametrize("first", [None, REDEEMED])
async def test_of_many_callers_with_the_same_state_one_advances_it(states: States, first: Progress | None) -> None:
    state = new_state()
    await states.keep(state, PENDING, 600)
    kept = await states.find(state)
    assert kept is not None
    if first is not None:
        kept = await states.advance(state, kept, first, 600)
        assert kept is not None
    calls = (states.advance(state, kept, replace(BUSY, busy_until=float(n)), 600) for n in range(20))
    (won,) = [after for after in await asyncio.gather(*calls) if after]
    assert await states.find(state) == won


async def test_a_state_ends_by_itself(redis: Redis) -> None:
    states, state = RedisStates(redis, RING), new_state()
    await states.keep(state, PENDING, 0.05)
    await asyncio.sleep(0.1)
    assert await states.find(state) is None
    before = {key async for key in redis.scan_iter("state:*")}
    await states.keep(state, PENDING, 600)
    (name,) = {key async for key in redis.scan_iter("state:*")} - before
    assert 590_000 < await redis.pttl(name) <= 600_000
    kept = await states.find(state)
    assert kept is not None
    await states.advance(state, kept, BUSY, 300)
    assert await redis.pttl(name) == -2, "a replica of the previous release finds nothing to return"
    (name,) = {key async for key in redis.scan_iter("state:*")} - before
    assert 290_000 < await redis.pttl(name) <= 300_000


async def test_progress_is_sealed_as_the_beginning_is(redis: Redis) -> None:
    states, state = RedisStates(redis, RING), new_state()
    await states.keep(state, PENDING, 600)
    kept = await states.find(state)
    assert kept is not None
    before = {key async for key in redis.scan_iter("state:*")}
    after = await states.advance(state, kept, REDEEMED, 600)
    (name,) = {key async for key in redis.scan_iter("state:*")} - before
    value = str(await redis.get(name))
    for text in ("Atzr|secret", "user-7", "A1SELLER"):
        assert text not in value
    for text in (value, "Atzr|secret"):
        assert text not in repr(after)
    await redis.set(name, "garbage")
    assert await states.find(state) is None


async def test_redis_holds_neither_the_state_nor_the_request_in_the_clear(redis: Redis) -> None:
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


async def test_a_moved_changed_or_foreign_value_counts_as_missing(redis: Redis) -> None:
    states, one, other = RedisStates(redis, RING), new_state(), new_state()
    before = {key async for key in redis.scan_iter("state:*")}
    await states.keep(one, PENDING, 600)
    (name,) = {key async for key in redis.scan_iter("state:*")} - before
    value = str(await redis.get(name))
    await states.keep(other, PENDING, 600)
    (second,) = {key async for key in redis.scan_iter("state:*")} - before - {name}
    await redis.set(second, value)
    assert await states.find(other) is None
    await redis.set(name, "garbage")
    assert await states.find(one) is None
    await redis.delete(name)
    await states.keep(one, PENDING, 600)
    assert await RedisStates(redis, new_ring()).find(one) is None
    kept = await states.find(one)
    assert kept is not None
    assert kept.pending == PENDING


async def test_without_redis_nothing_is_kept_and_nothing_is_given_out() -> None:
    async with open_redis(SecretStr("redis://127.0.0.1:1")) as unreachable:
        states = RedisStates(unreachable, RING)
        with pytest.raises(Unavailable):
            await states.keep(new_state(), PENDING, 600)
        with pytest.raises(Unavailable):
            await states.find(new_state())
        with pytest.raises(Unavailable):
            await states.advance(new_state(), StoredAuthorization(PENDING, None, "mark"), BUSY, 600)


@pytest.mark.parametrize(
    "stored", ["[]", "7", '"text"', "{", "{}", '{"pending": 1, "refresh_token": null}', '{"user_id": "u", "later": 1}']
)
@pytest.mark.parametrize("place", ["", ":progress"])
async def test_a_value_in_the_form_of_another_release_counts_as_unknown(redis: Redis, stored: str, place: str) -> None:
    states, state = RedisStates(redis, RING), new_state()
    key = state_key(RING, state.get_secret_value()) + place
    await redis.set(key, RING.seal(stored, key))
    assert await states.find(state) is None
