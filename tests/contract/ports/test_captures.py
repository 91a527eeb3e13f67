"""Captures of several gateways that share a real Redis."""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis
from sellergate_amazon.operations import Catalogue, Operation
from sellergate_common.cache.keyspace import CAPTURE_PREFIX
from sellergate_common.clock import SYSTEM_CLOCK
from sellergate_common.context import new_request_id
from sellergate_common.crypto.sealing import KeyRing, encode_key
from sellergate_common.errors import InvalidRequest, NotFound, Unavailable
from sellergate_common.redis_client import open_redis
from sellergate_common.tasks import BackgroundTasks
from sellergate_devstack.processes.ports import free_ports
from sellergate_gateway.captures import service
from sellergate_gateway.captures.recent import MOST_LISTED, RecentCalls
from sellergate_gateway.captures.redaction import Exchange
from sellergate_gateway.captures.redis import RedisCaptures
from sellergate_gateway.captures.service import Capture, Captures, open_captures
from sellergate_gateway.model import Account

from tests.fakes.captures import MemoryCaptures
from tests.fakes.gateway import ACCOUNT

SEEN = Exchange(1.0, "request-1", "GET", "/x", ("a",), (("accept", "*/*"),), "", 200, (), "what-was-answered", 0.25)
RING = KeyRing.parse(f"k1 {encode_key(os.urandom(64))}")


class Log:
    """An audit log with one account."""

    def __init__(self) -> None:
        self.recorded: list[tuple[str, str, float]] = []

    async def record(self, capture: Capture, seconds: float) -> None:
        if capture.account_id != "a1":
            raise NotFound.account(capture.account_id)
        self.recorded.append((capture.account_id, capture.operation, seconds))


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(service, "PUBLISH_SECONDS", 0.02)


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with open_redis(SecretStr(redis_url)) as client:
        yield client


@pytest.fixture
def operation() -> Operation:
    found = Catalogue.load().get("sellers/v1/getMarketplaceParticipations")
    assert found is not None
    return found


@pytest.fixture
async def replicas(redis: Redis) -> AsyncIterator[tuple[Captures, Captures, Log]]:
    async with AsyncExitStack() as stack:
        log = Log()
        first, second = [
            await stack.enter_async_context(
                open_captures(RedisCaptures(redis, RING), log, SYSTEM_CLOCK, new_request_id, BackgroundTasks())
            )
            for _ in range(2)
        ]
        yield first, second, log


async def test_another_replicas_exchanges_are_shown_and_stored_sealed(
    redis: Redis, replicas: tuple[Captures, Captures, Log], operation: Operation
) -> None:
    first, second, log = replicas
    assert second.idle
    run = first.run("a1", operation, 30)
    part = await anext(run)
    assert isinstance(part, Capture)
    assert log.recorded == [("a1", operation.name, 30)]
    assert operation.name not in str(await redis.hgetall("cap:wanted"))
    await asyncio.sleep(0.15)
    for replica in replicas[:2]:
        assert len(replica.of("a1", operation.name)) == 1
        assert not replica.of("a2", operation.name)
        assert not replica.of("a1", "sellers/v1/getAccount")
    waiting = asyncio.ensure_future(anext(run))
    second.submit(second.of("a1", operation.name), lambda: SEEN)
    assert await asyncio.wait_for(waiting, 2) == SEEN
    second.submit(second.of("a1", operation.name), lambda: SEEN)
    await asyncio.sleep(0.01)
    (kept,) = [await redis.lrange(key, 0, -1) async for key in redis.scan_iter("cap:{*")] or [[]]
    assert "what-was-answered" not in str(kept)
    await run.aclose()
    assert first.idle
    await asyncio.sleep(0.25)
    assert second.idle
    assert [key async for key in redis.scan_iter("cap:*")] == []


class Owners:
    """Accounts of one user."""

    async def get(self, account_id: str) -> Account:
        return replace(ACCOUNT, account_id=account_id)


@pytest.mark.parametrize("kind", ["redis", "memory"])
async def test_listed_exchanges_are_kept_in_their_order_beyond_their_capture(redis: Redis, kind: str) -> None:
    store = RedisCaptures(redis, RING) if kind == "redis" else MemoryCaptures()
    capture = Capture(store.id_of("a1"), "a1", "", time.time() + 60)
    assert await store.find(capture.id) is None
    await store.begin(capture)
    await store.begin(replace(capture, until=capture.until + 60))
    assert await store.find(capture.id) == replace(capture, until=capture.until + 60)
    for number in range(MOST_LISTED + 5):
        await store.put(capture, replace(SEEN, request_id=f"r{number}", operation="x/v1/getX"))
    first = await store.page(capture.id, "", 3)
    assert [one.request_id for _, one in first] == ["r204", "r203", "r202"]
    assert first[0][1] == replace(SEEN, request_id="r204", operation="x/v1/getX")
    rest = await store.page(capture.id, first[-1][0], 500)
    assert [one.request_id for _, one in rest] == [f"r{number}" for number in range(201, 4, -1)]
    await store.end(capture)
    assert await store.find(capture.id) is None
    assert await store.page(capture.id, rest[-2][0], 2) == [rest[-1]]
    assert await store.page(store.id_of("a2"), "", 2) == []
    if kind == "redis":
        key = f"cap:{{{capture.id}}}"
        assert 3600 < await redis.ttl(key) <= 3600 + 62
        assert "what-was-answered" not in str(await redis.xrange(key))
        await redis.delete(key)


async def test_a_replica_of_the_release_before_reads_the_captures_and_exchanges_of_this_one(redis: Redis) -> None:
    store, live = RedisCaptures(redis, RING), Capture("c1", "a1", "x/v1/getX", time.time() + 60)
    listed = Capture(store.id_of("a1"), "a1", "", time.time() + 60)
    for capture in (live, listed):
        await store.begin(capture)
        await store.put(capture, replace(SEEN, operation="x/v1/getX"))
    wanted = [
        json.loads(RING.open(one, f"cap:wanted {id_}").get_secret_value())
        for id_, one in (await redis.hgetall("cap:wanted")).items()
    ]
    assert {frozenset(one) for one in wanted} == {frozenset({"id", "account_id", "operation", "until"})}
    (sealed,) = await redis.lrange("cap:{c1}", 0, -1)
    assert "operation" not in json.loads(RING.open(sealed, "cap:{c1}").get_secret_value())
    assert await store.take(live) == [SEEN]
    for capture in (live, listed):
        await store.end(capture)
    await redis.delete(f"cap:{{{listed.id}}}")


async def test_a_users_capture_shows_another_replicas_calls_of_all_operations(
    redis: Redis, replicas: tuple[Captures, Captures, Log]
) -> None:
    first, second, log = replicas
    recent = RecentCalls(first, RedisCaptures(redis, RING), Owners(), SYSTEM_CLOCK)
    await recent.start("a1", "u1", 30)
    assert log.recorded == [("a1", "", 30)]
    async with asyncio.timeout(20):
        while not second.of("a1", "x/v1/getX"):  # noqa: ASYNC110  (the replica reads at its own times)
            await asyncio.sleep(0.02)
    second.submit(second.of("a1", "x/v1/getX"), lambda: replace(SEEN, operation="x/v1/getX"))
    async with asyncio.timeout(20):
        while not (await recent.page("a1", "u1", 0, ""))[0]:  # noqa: ASYNC110  (the end has no event)
            await asyncio.sleep(0.02)
    (seen,), _ = await recent.page("a1", "u1", 0, "")
    assert (seen.operation, seen.response_body) == ("x/v1/getX", "")
    await recent.end("a1", "u1")
    assert first.idle
    await redis.delete(f"cap:{{{RedisCaptures(redis, RING).id_of('a1')}}}")


async def test_a_capture_ends_by_itself(replicas: tuple[Captures, Captures, Log], operation: Operation) -> None:
    first, second, _ = replicas
    parts = [part async for part in first.run("a1", operation, 1)]
    assert len(parts) == 1
    assert first.idle
    await asyncio.sleep(0.25)
    assert second.idle


@pytest.mark.parametrize("seconds", [0, 0.5, 1801])
async def test_an_invalid_duration_is_refused_before_anything_is_done(
    replicas: tuple[Captures, Captures, Log], operation: Operation, seconds: float
) -> None:
    with pytest.raises(InvalidRequest, match="duration"):
        await anext(replicas[0].run("a1", operation, seconds))
    assert replicas[2].recorded == []


async def test_a_capture_needs_an_account_and_redis(
    replicas: tuple[Captures, Captures, Log], operation: Operation
) -> None:
    with pytest.raises(NotFound):
        await anext(replicas[0].run("a2", operation, 10))
    assert replicas[0].idle
    async with open_redis(SecretStr(f"redis://127.0.0.1:{free_ports(1)[0]}")) as unreachable:
        alone = Captures(RedisCaptures(unreachable, RING), Log(), SYSTEM_CLOCK, new_request_id, asyncio.to_thread)
        with pytest.raises(Unavailable):
            await anext(alone.run("a1", operation, 10))
        assert alone.idle


@pytest.mark.parametrize("stored", ["[]", "7", "{", "{}", '{"id": "c", "later": 1}', '{"query_names": 7}'])
async def test_values_in_the_form_of_another_release_are_left_out(redis: Redis, stored: str) -> None:
    store, name = RedisCaptures(redis, RING), new_request_id()
    capture = Capture(name, "a1", "getItem", time.time() + 60)
    wanted, key = f"{CAPTURE_PREFIX}wanted", f"{CAPTURE_PREFIX}{{{name}}}"
    await redis.hset(wanted, name, RING.seal(stored, f"{wanted} {name}"))
    assert name not in {one.id for one in await store.wanted()}
    assert await store.find(name) is None
    await redis.rpush(key, RING.seal(stored, key))
    await store.put(capture, SEEN)
    assert list(await store.take(capture)) == [SEEN]
    await redis.xadd(key, {"sealed": RING.seal(stored, key)})
    assert await store.page(name, "", 10) == []
    await redis.hdel(wanted, name)
