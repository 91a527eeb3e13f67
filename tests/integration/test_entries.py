"""Shared entries with several replicas on a real Redis: one fetch, and no older value over a newer one; and without Redis."""

import asyncio
import math
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sellergate_common.cache.redis_entries import AlwaysAdmitted
from sellergate_common.context import CallContext, use_context
from sellergate_common.errors import OutOfTime, Overloaded, PreconditionFailed, Reason, Unavailable
from sellergate_common.flights.lease import lease_keys
from sellergate_common.redis_client import open_redis
from sellergate_devstack.processes.ports import free_ports
from sellergate_devstack.servers.redis import running_redis

from tests.integration.replicas import Replica, Replicas, Source, Value, open_replicas


async def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  (the condition has no event)
            await asyncio.sleep(0.005)


@contextmanager
def without_redis(replica: Replica) -> Iterator[None]:
    """Let each command of a replica fail at once."""
    replica.redis._silent_until = math.inf  # type: ignore[attr-defined]
    yield
    replica.redis._silent_until = 0.0  # type: ignore[attr-defined]


@pytest.fixture
async def replicas() -> AsyncIterator[Replicas]:
    async with open_replicas() as make:
        yield make


async def test_one_of_many_replicas_fetches(redis_url: str, replicas: Replicas) -> None:
    three, source = await replicas(redis_url, 3), Source(seconds=0.5)
    found = await asyncio.gather(*(replica.get(source) for replica in three for _ in range(100)))
    assert {value.text for value in found} == {"value 1"}
    assert source.fetched == 1
    assert sum(replica.entries.counts.misses for replica in three) == 100


async def test_a_failure_is_returned_to_all_waiters_and_remembered_briefly(redis_url: str, replicas: Replicas) -> None:
    three, source = await replicas(redis_url, 3), Source(seconds=0.3)
    source.error = PreconditionFailed("revoked", reason=Reason.AUTHORIZATION_REVOKED)
    for _ in range(2):
        calls = (replica.get(source) for replica in three for _ in range(40))
        errors = await asyncio.gather(*calls, return_exceptions=True)
        assert {type(error) for error in errors} == {PreconditionFailed}
        assert {getattr(error, "reason", None) for error in errors} == {Reason.AUTHORIZATION_REVOKED}
    assert source.fetched == 1
    source.error = None
    assert not await three[0].entries.drop("a")  # the remembered failure is dropped with the entry
    assert (await three[0].get(source)).text == "value 2"


async def test_a_failure_of_a_dependency_is_remembered_only_briefly(redis_url: str, replicas: Replicas) -> None:
    (one,), source = await replicas(redis_url, 1), Source()
    source.error = Unavailable("LWA is down", reason=Reason.AMAZON_UNAVAILABLE, retry_after=1.0)
    for _ in range(5):
        with pytest.raises(Unavailable) as caught:
            await one.get(source)
        assert caught.value.retry_after == 1.0
    assert source.fetched == 1
    source.error = None
    await asyncio.sleep(1.1)
    assert (await one.get(source)).text == "value 2"


async def test_a_late_result_never_replaces_a_newer_one(redis_url: str, replicas: Replicas) -> None:
    (paused, other), slow = await replicas(redis_url, 2), Source(seconds=0.6)
    late = asyncio.create_task(paused.get(slow))
    await asyncio.sleep(0.2)
    # The holder pauses for longer than its lease; another replica takes over.
    await paused.redis.delete(lease_keys(paused.store.codec.name("a"))[0])
    quick = Source()
    assert (await other.get(quick)).text == "value 1"
    newer = await other.get(quick)
    assert await late == newer
    assert paused.entries.counts.discarded == 1
    assert await other.store.shared(other.store.codec.name("a")) == newer
    assert await paused.get(slow) == newer


async def test_a_late_failure_returns_the_value_of_another_replica(redis_url: str, replicas: Replicas) -> None:
    (paused, other), slow = await replicas(redis_url, 2), Source(seconds=0.6)
    slow.error = OutOfTime("LWA did not respond")
    late = asyncio.create_task(paused.get(slow))
    await asyncio.sleep(0.2)
    await paused.redis.delete(lease_keys(paused.store.codec.name("a"))[0])
    newer = await other.get(Source())
    assert await late == newer
    assert paused.entries.counts.discarded == 1


async def test_past_four_fifths_of_its_life_one_reader_renews_and_no_reader_waits(
    redis_url: str, replicas: Replicas
) -> None:
    three, source = await replicas(redis_url, 3), Source(life=3.0)
    source.seconds = 0.2
    await three[0].get(source)
    left: list[float] = []
    end = time.monotonic() + 7.5

    async def use(replica: Replica) -> None:
        while time.monotonic() < end:
            value = await replica.get(source, 0.3)
            left.append(value.expire_time - time.time())
            await asyncio.sleep(0.01)

    await asyncio.gather(*(use(replica) for replica in three for _ in range(3)))
    assert sum(one.entries.counts.misses for one in three) == 1, (
        "a reader that waits for an exchange has missed the value"
    )
    assert min(left) >= 0.29
    assert 3 <= source.fetched <= 4
    assert sum(replica.entries.counts.renewals for replica in three) == source.fetched - 1


async def test_a_renewal_looks_again_once_it_has_the_lease(redis_url: str, replicas: Replicas) -> None:
    first, second = await replicas(redis_url, 2)
    source = Source(life=60.0)
    old = await first.get(source)
    key = second.store.codec.name("a")
    newer = Value("newer", old.expire_time + 1, 60.0)
    look_up = second.store.look_up_newer
    looks = 0

    async def late(*given: Any) -> Any:
        nonlocal looks
        looks += 1
        found = await look_up(*given)
        if looks == 1:
            # Another replica renews the value between this look and the lease.
            await first.redis.delete(key)
            assert await first.store.add("a", newer)
        return found

    assert await second.get(source) == old
    second.store.look_up_newer = late  # type: ignore[method-assign]
    held = second.store.memory.get("a")
    assert held is not None
    second.entries._renew(held, source.fetch)
    await until(lambda: looks == 2 and second.store.memory.get("a").value == newer)  # type: ignore[union-attr]
    assert (source.fetched, second.entries.counts.renewals) == (1, 0)


async def test_a_renewal_that_fails_leaves_the_old_value_until_its_end(redis_url: str, replicas: Replicas) -> None:
    (one,), source = await replicas(redis_url, 1), Source(life=2.0)
    old = await one.get(source)
    source.error = Unavailable("LWA is down", reason=Reason.AMAZON_UNAVAILABLE)
    while time.time() < old.expire_time - 0.1:
        assert await one.get(source) == old
        await asyncio.sleep(0.02)
    await asyncio.sleep(0.2)
    with pytest.raises(Unavailable):
        await one.get(source)


async def test_a_dropped_value_is_forgotten_by_every_replica(redis_url: str, replicas: Replicas) -> None:
    (one, two), source = await replicas(redis_url, 2), Source()
    await until(lambda: one.changes.connected and two.changes.connected)
    first = await one.get(source)
    assert await two.get(source) == first
    assert not await one.entries.drop_if("a", "something else")
    assert await one.entries.drop_if("a", first.text)
    await asyncio.sleep(0.1)
    second = await two.get(source)
    assert second.text == "value 2"
    assert not await one.entries.drop_if("a", first.text)
    assert await one.get(source) == second


async def test_a_value_that_is_refused_after_it_was_replaced_is_not_replaced_again(
    redis_url: str, replicas: Replicas
) -> None:
    two, source = await replicas(redis_url, 2), Source()
    await until(lambda: all(one.changes.connected for one in two))
    for number in range(10):
        refused = await two[number % 2].get(source)
        assert await two[number % 2].entries.drop_if("a", refused.text) is (number == 0)
        await asyncio.sleep(0.02)
    assert source.fetched == 2
    assert await two[0].entries.drop("a")  # an operator may at any time


async def test_a_dropped_value_that_a_replica_still_had_is_dropped_again(redis_url: str, replicas: Replicas) -> None:
    (one,), source = await replicas(redis_url, 1), Source()
    first = await one.get(source)
    assert await one.entries.drop_if("a", first.text)
    await one.entries.put("a", first)  # as a replica refills an empty Redis that was cut off during the drop
    assert await one.get(source) == first
    assert await one.entries.drop_if("a", first.text)
    assert (await one.get(source)).text == "value 2"


async def test_a_dropped_value_that_redis_could_not_drop_does_not_come_back(redis_url: str, replicas: Replicas) -> None:
    prefix = f"test{secrets.token_hex(4)}:"
    (one, two), source = await replicas(redis_url, 2, prefix), Source()
    first = await one.get(source)
    with without_redis(one):
        assert await one.entries.drop_if("a", first.text)
    assert (await one.get(source)).text == "value 2"
    assert (await two.get(source)).text == "value 2"
    # Nor does one that this process had no copy of, or that another replica has added again.
    with without_redis(one):
        one.store.memory.forget_all()
        assert not await one.entries.drop_if("a", "value 2")
        third = await one.get(source)
        assert third.text == "value 3"
    one.store.memory.mark_stale()
    assert await one.get(source) == third
    assert (await two.store.shared(prefix + "{a}")) == third


async def test_a_value_that_is_dropped_while_its_fetch_fails_is_not_returned(
    redis_url: str, replicas: Replicas
) -> None:
    (one,), source = await replicas(redis_url, 1), Source()
    first = await one.get(source)
    await one.store.cache.drop(one.store.codec.name("a"))
    one.store.memory.put("a", replace(first, expire_time=time.time() + 3), math.inf)
    source.error, source.seconds = Unavailable("down"), 0.3
    getting = asyncio.create_task(one.get(source))
    await asyncio.sleep(0.1)
    await one.entries.drop_if("a", first.text)
    with pytest.raises(Unavailable):
        await getting


async def test_callers_that_need_a_longer_life_do_not_share_a_shorter_one(redis_url: str, replicas: Replicas) -> None:
    (one, two), source = await replicas(redis_url, 2), Source(life=10.0)
    await one.get(source)
    source.seconds = 0.2
    found = await asyncio.gather(
        one.get(source, 0.5), two.get(source, 8.9), one.get(source, 8.95), two.get(source, 1.0)
    )
    assert source.fetched == 1
    await asyncio.sleep(1.2)
    found = await asyncio.gather(
        one.get(source, 0.5), two.get(source, 8.9), one.get(source, 8.95), two.get(source, 1.0)
    )
    assert [value.text for value in found] == ["value 1", "value 2", "value 2", "value 1"]
    assert source.fetched == 2


async def test_without_redis_each_process_has_its_own_memory_and_single_flight(replicas: Replicas) -> None:
    two, source = await replicas(f"redis://127.0.0.1:{free_ports(1)[0]}", 2), Source(seconds=0.1)
    found = await asyncio.gather(*(replica.get(source) for replica in two for _ in range(50)))
    assert {value.text for value in found} == {"value 1", "value 2"}
    for replica in two:
        assert await replica.get(source) in found
    assert source.fetched == 2


async def test_an_emptied_redis_is_filled_from_memory(replicas: Replicas, tmp_path: Path) -> None:
    with running_redis(tmp_path) as url:
        (one, two), source = await replicas(url, 2), Source()
        await until(lambda: one.changes.connected and two.changes.connected)
        value = await one.get(source)
        await one.redis.flushall()
        await one.redis.client_kill_filter(_type="pubsub")  # as a restart does
        await until(lambda: not one.changes.connected)
        await until(lambda: one.changes.connected)
        assert await one.get(source) == value
        assert await two.get(source) == value
    assert await one.get(source) == value
    assert source.fetched == 1


async def test_only_fetches_are_admitted(redis_url: str) -> None:
    admitted: list[float] = []

    class Counted(AlwaysAdmitted):
        """An admission with room for only the first fetch."""

        def __init__(self, left: Callable[[], float]) -> None:
            self._left = left

        async def wait_for_turn(self) -> None:
            admitted.append(self._left())
            if len(admitted) > 1:
                raise Overloaded("later", retry_after=1.0)

    async with open_redis(SecretStr(redis_url)) as redis:
        prefix, source = f"test{secrets.token_hex(4)}:", Source(life=2.0)
        one, two = Replica(redis, prefix, Counted), Replica(redis, prefix, Counted)
        with use_context(CallContext("test", "1", deadline=time.monotonic() + 7)):
            value = await one.get(source)
        assert 6.5 < admitted[0] <= 7.0  # the caller's own deadline, and not that of the fetch
        assert await one.get(source) == await two.get(source) == value  # from memory, and from Redis
        await asyncio.sleep(value.expire_time - time.time() - 0.1)
        assert await one.get(source) == value  # a value that expires soon is returned while no fetch is admitted
        assert len(admitted) == 2
        await asyncio.sleep(0.2)
        with pytest.raises(Overloaded):
            await one.get(source)
        assert source.fetched == 1


async def test_values_held_by_a_replica_are_not_fetched_again_for_an_emptied_redis(
    replicas: Replicas, tmp_path: Path
) -> None:
    count, lost = 200, 20
    with running_redis(tmp_path) as url:
        two, source = await replicas(url, 2), Source()
        await until(lambda: all(one.changes.connected for one in two))
        values = {f"key {n}": await two[n % 2].get(source, key=f"key {n}") for n in range(count)}
        await two[0].redis.flushall()
        await two[0].redis.client_kill_filter(_type="pubsub")  # as a restart does
        # Each value is requested from a replica that does not hold it; some are held by none.
        lookups = [*enumerate(values), *((0, f"lost {n}") for n in range(lost))]
        found = await asyncio.gather(*(two[(n + 1) % 2].get(source, key=key) for n, key in lookups))
        assert found[:count] == list(values.values())
        assert source.fetched == count + lost


async def test_a_caller_past_its_deadline_leaves_the_fetch_running(redis_url: str, replicas: Replicas) -> None:
    (one,), source = await replicas(redis_url, 1), Source(seconds=0.3)
    with use_context(CallContext("test", "1", deadline=time.monotonic() + 0.1)), pytest.raises(OutOfTime):
        await one.get(source)
    await asyncio.sleep(0.4)
    assert (await one.get(source)).text == "value 1"
