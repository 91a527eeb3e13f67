"""Replacement of shared entries on a real Redis: one fetch under the lease, and no moment without a value."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sellergate_common.errors import PreconditionFailed, Reason, Unavailable

from tests.integration.replicas import Replicas, Source, open_replicas


@pytest.fixture
async def replicas() -> AsyncIterator[Replicas]:
    async with open_replicas() as make:
        yield make


async def test_callers_get_the_old_value_until_it_is_replaced(redis_url: str, replicas: Replicas) -> None:
    (one, two, cold), source = await replicas(redis_url, 3), Source(seconds=0.3)
    assert [(await replica.get(source)).text for replica in (one, two)] == ["value 1"] * 2
    replacing = asyncio.create_task(one.entries.replace("a", source.fetch))
    seen = []
    while not replacing.done():
        seen.append((await cold.get(source)).text)
        # Each look-up reads Redis, and meets every moment of the replacement.
        cold.store.memory.forget_all()
    await replacing
    assert seen[0] == "value 1"
    assert seen == sorted(seen)
    await asyncio.sleep(0.1)
    assert [(await replica.get(source)).text for replica in (one, two, cold)] == ["value 2"] * 3
    assert source.fetched == 2


async def test_callers_without_a_value_wait_for_the_replacement(redis_url: str, replicas: Replicas) -> None:
    (one, two), source = await replicas(redis_url, 2), Source(seconds=0.3)
    replacing = asyncio.create_task(one.entries.replace("a", source.fetch))
    await asyncio.sleep(0.1)
    found = await asyncio.gather(*(replica.get(source) for replica in (one, two) for _ in range(20)))
    await replacing
    assert {value.text for value in found} == {"value 1"}
    assert source.fetched == 1


async def test_a_replacement_begins_after_a_fetch_that_has_begun(redis_url: str, replicas: Replicas) -> None:
    (one, two), source = await replicas(redis_url, 2), Source(seconds=0.3)
    fetching = asyncio.create_task(one.get(source))
    await asyncio.sleep(0.1)
    await two.entries.replace("a", source.fetch)
    assert (await fetching).text == "value 1"
    assert (await two.get(source)).text == "value 2"
    assert source.fetched == 2


async def test_a_replacement_without_a_lease_is_seen_by_all_replicas(redis_url: str, replicas: Replicas) -> None:
    (one, two), source = await replicas(redis_url, 2), Source()
    assert [(await replica.get(source)).text for replica in (one, two)] == ["value 1"] * 2
    await one.store.supersede("a", await source.fetch(), None)
    await asyncio.sleep(0.1)
    assert [(await replica.get(source)).text for replica in (one, two)] == ["value 2"] * 2


async def test_a_replacement_that_fails_leaves_the_value(redis_url: str, replicas: Replicas) -> None:
    (one,), source = await replicas(redis_url, 1), Source()
    first = await one.get(source)
    source.error = Unavailable("LWA is down", reason=Reason.AMAZON_UNAVAILABLE)
    with pytest.raises(Unavailable):
        await one.entries.replace("a", source.fetch)
    assert await one.get(source) == first


async def test_a_replacement_ends_a_remembered_failure(redis_url: str, replicas: Replicas) -> None:
    (one,), source = await replicas(redis_url, 1), Source()
    source.error = PreconditionFailed("revoked", reason=Reason.AUTHORIZATION_REVOKED)
    with pytest.raises(PreconditionFailed):
        await one.get(source)
    source.error = None
    await one.entries.replace("a", source.fetch)
    assert await one.entries.drop_if("a", "value 2")
    assert (await one.get(source)).text == "value 3"
