"""Copies of another service's data: their greatest age, and the events that end them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from sellergate_common.cache.lru import MAX_STALENESS_SECONDS
from sellergate_common.cache.stale_if_error import StaleIfErrorCache
from sellergate_common.errors import NotFound, Unavailable


class World:
    def __init__(self) -> None:
        self.now, self.feed_connected, self.fetches = 1000.0, True, 0
        self.error: Exception | None = None
        self.value = "first"
        self.copies: StaleIfErrorCache[str] = StaleIfErrorCache(lambda: self.now, lambda: self.feed_connected)

    async def fetch(self) -> str:
        self.fetches += 1
        value = self.value
        await asyncio.sleep(0)
        if self.error:
            raise self.error
        return value

    async def get(self, fetch: Callable[[], Awaitable[str]] | None = None) -> str:
        return await self.copies.get("a", fetch or self.fetch)


@pytest.fixture
def world() -> World:
    return World()


async def test_a_caller_that_knows_of_a_change_gets_no_older_copy(world: World) -> None:
    assert await world.get() == "first"
    world.value = "second"
    # Another caller's fetch began before the change, and returns the previous value.
    late = asyncio.Event()

    async def from_before() -> str:
        await late.wait()
        return "first"

    world.copies.forget("a")
    other = asyncio.create_task(world.get(from_before))
    await asyncio.sleep(0)
    caller = asyncio.create_task(world.copies.get_newer("a", world.fetch, lambda value: value == "second"))
    await asyncio.sleep(0)
    late.set()
    assert (await other, await caller) == ("first", "second")
    assert await world.get() == "second"


async def test_a_change_that_the_owner_lacks_is_fetched_a_few_times(world: World) -> None:
    with pytest.raises(Unavailable, match="revision is older"):
        await world.copies.get_newer("a", world.fetch, lambda value: value == "second")
    assert world.fetches == 3


async def test_a_copy_serves_for_five_seconds(world: World) -> None:
    assert await asyncio.gather(*(world.get() for _ in range(9))) == ["first"] * 9
    world.value, world.now = "second", world.now + MAX_STALENESS_SECONDS - 0.1
    assert await world.get() == "first"
    world.now += 0.1
    assert (await world.get(), world.fetches) == ("second", 2)


async def test_an_announced_change_ends_the_copy_at_once(world: World) -> None:
    await world.get()
    world.value = "second"
    world.copies.forget("a")
    assert await world.get() == "second"
    world.value = "third"
    world.copies.mark_stale()
    assert await world.get() == "third"


async def test_a_change_announced_during_a_fetch_leaves_no_old_copy(world: World) -> None:
    async def overtaken() -> str:
        world.copies.forget("a")
        return "old"

    assert await world.get(overtaken) == "old"
    assert await world.get() == "first"


async def test_a_copy_serves_while_its_owner_is_down_and_changes_arrive(world: World) -> None:
    await world.get()
    world.error = Unavailable("down")
    world.now += 600
    assert [await world.get() for _ in range(5)] == ["first"] * 5
    assert world.fetches == 2  # callers do not wait for an owner that has just failed to respond
    world.now += 1
    await world.get()
    assert world.fetches == 3
    world.feed_connected = False
    with pytest.raises(Unavailable):
        await world.get()
    world.feed_connected, world.error, world.value = True, None, "second"
    world.now += 1
    assert await world.get() == "second"


async def test_a_dropped_copy_does_not_return_while_its_owner_is_down(world: World) -> None:
    await world.get()
    world.error = Unavailable("down")
    world.copies.forget("a")
    with pytest.raises(Unavailable):
        await world.get()


async def test_a_response_of_the_owner_ends_a_copy(world: World) -> None:
    await world.get()
    world.now += MAX_STALENESS_SECONDS
    world.error = NotFound.account("a")
    with pytest.raises(NotFound):
        await world.get()
    world.error = Unavailable("down")
    with pytest.raises(Unavailable):
        await world.get()


async def test_a_value_that_came_with_another_is_kept_as_a_copy(world: World) -> None:
    async def read() -> tuple[str, str]:
        return "secret", "first"

    assert not world.copies.has_current("a")
    assert await world.copies.keep_from("a", read, lambda found: found[1]) == ("secret", "first")
    assert world.copies.has_current("a")
    assert (await world.get(), world.fetches) == ("first", 0)
    world.now += MAX_STALENESS_SECONDS
    assert not world.copies.has_current("a")


async def test_a_value_that_was_read_before_the_process_was_stopped_is_as_old_as_its_request(world: World) -> None:
    async def stopped() -> str:
        world.now += MAX_STALENESS_SECONDS
        return "old"

    assert await world.get(stopped) == "old"
    assert await world.get() == "first"


async def test_a_caller_does_not_join_a_fetch_that_began_five_seconds_before(world: World) -> None:
    """The process was stopped during the fetch, and the call arrives before the response is processed."""
    began, arrived = asyncio.Event(), asyncio.Event()

    async def stopped() -> str:
        began.set()
        await arrived.wait()
        return "old"

    before = asyncio.create_task(world.get(stopped))
    await began.wait()
    world.now += MAX_STALENESS_SECONDS - 0.1
    early = asyncio.create_task(world.get())
    await asyncio.sleep(0)
    world.now += 0.1
    late = asyncio.create_task(world.get())
    await asyncio.sleep(0)
    arrived.set()
    assert await asyncio.gather(before, early, late) == ["old", "old", "first"]


async def test_a_value_is_not_older_for_the_wait_before_its_reading(world: World) -> None:
    @asynccontextmanager
    async def turn() -> AsyncIterator[None]:
        world.now += 2 * MAX_STALENESS_SECONDS
        world.copies.forget("a")
        yield

    assert await world.copies.get("a", world.fetch, turn) == "first"
    assert (await world.get(), world.fetches) == ("first", 1)


async def test_a_value_of_a_slow_reading_is_as_old_as_its_beginning(world: World) -> None:
    async def read() -> str:
        world.now += MAX_STALENESS_SECONDS
        return "old"

    assert await world.copies.keep_from("a", read, lambda found: found) == "old"
    assert await world.get() == "first"


async def test_a_change_during_a_reading_leaves_no_copy(world: World) -> None:
    async def read() -> str:
        world.copies.forget("a")
        return "old"

    assert await world.copies.keep_from("a", read, lambda found: found) == "old"
    assert await world.get() == "first"
