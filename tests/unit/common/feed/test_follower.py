"""A process that follows changes: its copies are used while they are current, and every change takes effect within five seconds."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from sellergate_common.cache.stale_if_error import MAX_LIFE_SECONDS
from sellergate_common.errors import NotFound, Unavailable, Unimplemented
from sellergate_common.feed.follower import PATIENCE_SECONDS, POLL_SECONDS
from sellergate_common.feed.trust import TRUST_SECONDS
from sellergate_common.tasks import BackgroundTasks
from structlog.testing import capture_logs

from tests.fakes.feed import DOWN, Owner, Process, virtual_clock
from tests.fakes.virtual_time import run_in_virtual_time

NAME = "changes_of_rows"


@asynccontextmanager
async def following(owner: Owner) -> AsyncIterator[tuple[Process, BackgroundTasks]]:
    clock = virtual_clock()
    process, background = Process(owner, clock), BackgroundTasks(clock)
    async with process.follower.following(NAME, background):
        await asyncio.sleep(0.5)
        yield process, background


def virtual(scenario: Callable[[Owner], Awaitable[None]]) -> None:
    owner = Owner()
    owner.commit("a")
    run_in_virtual_time(_run(scenario, owner))


async def _run(scenario: Callable[[Owner], Awaitable[None]], owner: Owner) -> None:
    await scenario(owner)


def test_a_copy_lives_until_its_row_is_changed() -> None:
    async def scenario(owner: Owner) -> None:
        async with following(owner) as (process, _):
            for _ in range(60):
                assert await process.version() == 1
                await asyncio.sleep(1)
            assert owner.fetched == ["a"]
            owner.commit("a")
            await asyncio.sleep(POLL_SECONDS + 0.01)
            assert await process.version() == 2
            assert owner.fetched == ["a", "a"]

    virtual(scenario)


def test_trust_counts_from_the_start_of_a_request() -> None:
    async def scenario(owner: Owner) -> None:
        owner.seconds = lambda: 1.4
        process = Process(owner, virtual_clock())
        began = asyncio.get_running_loop().time()
        await process.follower.poll()
        assert process.trust.until == began + TRUST_SECONDS

    virtual(scenario)


def test_while_requests_hang_a_copy_lives_for_five_seconds_and_health_says_so() -> None:
    async def scenario(owner: Owner) -> None:
        async with following(owner) as (process, background):
            await process.version()
            owner.seconds = lambda: 600.0
            await asyncio.sleep(TRUST_SECONDS)
            assert background.problems()[f"{NAME}_known"].startswith("changes unknown (TimeoutError)")
            owner.seconds, owner.read = (lambda: 0.002), hang  # type: ignore[method-assign]
            owner.fetched.clear()
            for _ in range(20):
                assert await process.version() == 1
                await asyncio.sleep(1)
            assert len(owner.fetched) == 4

    async def hang(_: str) -> object:
        await asyncio.sleep(600)
        raise AssertionError

    virtual(scenario)


def test_a_short_outage_is_not_noticed_and_a_long_one_misses_nothing() -> None:
    async def scenario(owner: Owner) -> None:
        async with following(owner) as (process, background):
            await process.version()
            owner.error = DOWN
            await asyncio.sleep(3.2)  # as a restart of the owner
            assert (await process.version(), background.problems()[f"{NAME}_known"]) == (1, "")
            assert owner.fetched == ["a"]
            await asyncio.sleep(60)
            assert "DEPENDENCY_UNAVAILABLE" in background.problems()[f"{NAME}_known"]
            owner.commit("a")
            owner.error = None
            await asyncio.sleep(POLL_SECONDS + 0.01)
            assert (await process.version(), background.problems()[f"{NAME}_known"]) == (2, "")
            await asyncio.sleep(30)
            assert await process.version() == 2
            assert owner.fetched == ["a", "a"]

    virtual(scenario)


def test_an_outage_is_logged_once_and_its_end_too() -> None:
    async def scenario(owner: Owner) -> None:
        async with following(owner):
            with capture_logs() as logs:
                owner.error = DOWN
                await asyncio.sleep(30)
                owner.error = None
                await asyncio.sleep(3)
            assert [entry["event"] for entry in logs] == ["changes_unknown", "changes_known"]

    virtual(scenario)


def test_an_owner_of_the_release_before_leaves_a_copy_five_seconds() -> None:
    async def scenario(owner: Owner) -> None:
        async def read(_: str) -> object:
            raise Unimplemented("no such RPC")

        owner.read = read  # type: ignore[method-assign,assignment]
        async with following(owner) as (process, background):
            for fetched in range(1, 4):
                for _ in range(2):
                    await process.version()
                    assert len(owner.fetched) == fetched
                    await asyncio.sleep(TRUST_SECONDS / 2)
            assert "UNIMPLEMENTED" in background.problems()[f"{NAME}_known"]

    virtual(scenario)


def test_a_lost_cursor_forgets_all_copies_and_what_is_being_fetched() -> None:
    async def scenario(owner: Owner) -> None:
        async with following(owner) as (process, _):
            await process.version()
            owner.commit("b")
            slow = asyncio.create_task(process.copies.get("b", late))
            await asyncio.sleep(0)
            # The database was restored to a state in which the rows have lower versions.
            owner.history, owner.changes, owner.versions = "2", [], {"a": 1, "b": 1}
            await asyncio.sleep(POLL_SECONDS + 0.01)
            await slow
            owner.fetched.clear()
            assert (await process.version("a"), await process.version("b")) == (1, 1)
            assert owner.fetched == ["a", "b"]

    async def late() -> object:
        await asyncio.sleep(2)
        return type("Row", (), {"version": 9})()

    virtual(scenario)


def test_a_change_during_a_fetch_leaves_no_older_copy() -> None:
    async def scenario(owner: Owner) -> None:
        async with following(owner) as (process, _):
            owner.seconds = lambda: 1.4
            fetching = asyncio.create_task(process.version())
            await asyncio.sleep(0.8)
            owner.seconds = lambda: 0.002
            owner.commit("a")
            await process.follower.poll()
            assert await fetching == 1, "it was read before the change"
            assert await process.version() == 2
            assert owner.fetched == ["a", "a"]

    virtual(scenario)


def test_a_fetch_that_read_after_the_change_is_kept() -> None:
    async def scenario(owner: Owner) -> None:
        async with following(owner) as (process, _):
            owner.seconds = lambda: 1.4
            fetching = asyncio.create_task(process.version())
            owner.commit("a")
            await asyncio.sleep(0.8)
            owner.seconds = lambda: 0.002
            await process.follower.poll()
            assert (await fetching, await process.version()) == (2, 2)
            assert owner.fetched == ["a"]

    virtual(scenario)


def test_changes_that_are_listed_again_end_no_newer_copy() -> None:
    async def scenario(owner: Owner) -> None:
        owner.repeated = 99
        async with following(owner) as (process, _):
            owner.commit("a")
            await asyncio.sleep(2)
            for _ in range(30):
                assert await process.version() == 2
                await asyncio.sleep(1)
            assert owner.fetched == ["a"]

    virtual(scenario)


def test_a_row_that_was_removed_and_made_again_is_read_again() -> None:
    async def scenario(owner: Owner) -> None:
        for _ in range(5):
            owner.commit("a")
        async with following(owner) as (process, _):
            assert await process.version() == 6
            owner.remove("a")
            await asyncio.sleep(POLL_SECONDS + 0.01)
            with pytest.raises(NotFound):
                await process.version()
            owner.versions["a"] = 1
            assert await process.version() == 1
            owner.commit("a")
            await asyncio.sleep(POLL_SECONDS + 0.01)
            assert await process.version() == 2

    virtual(scenario)


def test_missed_announcements_end_no_copy_while_changes_are_known() -> None:
    async def scenario(owner: Owner) -> None:
        async with following(owner) as (process, _):
            await process.version()
            process.copies.mark_stale()
            await asyncio.sleep(20)
            assert (await process.version(), owner.fetched) == (1, ["a"])

    virtual(scenario)


@pytest.mark.parametrize(("gap", "serves"), [(False, True), (True, False)])
def test_while_the_owner_is_down_only_a_copy_of_which_no_change_can_be_missed_is_used(gap: bool, serves: bool) -> None:
    async def scenario(owner: Owner) -> None:
        async with following(owner) as (process, _):
            await process.version()
            owner.error = DOWN
            await asyncio.sleep(0.6)
            if gap:  # announcements were missed after the last response
                process.copies.mark_stale()
            await asyncio.sleep(60)
            if serves:
                assert await process.version() == 1
            else:
                with pytest.raises(Unavailable):
                    await process.version()

    virtual(scenario)


def test_a_copy_is_read_again_after_ten_minutes_even_if_no_change_is_listed() -> None:
    async def scenario(owner: Owner) -> None:
        async with following(owner) as (process, _):
            await process.version()
            owner.versions["a"] = 7  # the change was removed from the list
            await asyncio.sleep(MAX_LIFE_SECONDS - 10)
            assert await process.version() == 1
            await asyncio.sleep(10)
            assert await process.version() == 7

    virtual(scenario)


def test_a_bug_in_one_response_ends_neither_the_following_nor_the_cursor() -> None:
    async def scenario(owner: Owner) -> None:
        async with following(owner) as (process, _):
            await process.version()
            good, owner.read = owner.read, broken  # type: ignore[method-assign]
            await asyncio.sleep(1)
            owner.commit("a")
            owner.read = good  # type: ignore[method-assign]
            await asyncio.sleep(2)
            assert await process.version() == 2

    async def broken(_: str) -> object:
        raise ZeroDivisionError

    virtual(scenario)


def test_three_requests_fit_into_the_time_of_trust() -> None:
    assert POLL_SECONDS + 2 * PATIENCE_SECONDS < TRUST_SECONDS


def test_sellers_called_twice_are_asked_for_once_each() -> None:
    async def scenario(owner: Owner) -> None:
        sellers = [f"s{number}" for number in range(500)]
        for seller in sellers:
            owner.versions[seller] = 1
        async with following(owner) as (process, _):
            for _ in range(2):
                for seller in sellers:
                    await process.version(seller)
                await asyncio.sleep(TRUST_SECONDS * 2)
            assert sorted(owner.fetched) == sorted(sellers)

    virtual(scenario)
