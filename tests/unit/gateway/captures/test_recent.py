"""Recent calls: whose they are, how many captures may run, and pages of the list."""

import asyncio
from dataclasses import dataclass, field, replace

import pytest
from sellergate_common.clock import Clock
from sellergate_common.errors import InvalidRequest, NotFound, Overloaded, PreconditionFailed, Reason
from sellergate_gateway.captures.recent import MOST_LISTED, MOST_OF_USER, MOST_RUNNING, RecentCalls
from sellergate_gateway.captures.redaction import Exchange
from sellergate_gateway.captures.service import LOOK_SECONDS, Capture, Captures
from sellergate_gateway.model import Account

from tests.fakes.captures import MemoryCaptures
from tests.fakes.gateway import ACCOUNT

OK = Exchange(1.0, "r1", "GET", "/x", (), (), "sent", 200, (), "received", 0.25, operation="x/v1/getX")


@dataclass
class World:
    """Recent calls on fakes. Accounts named `<user>/<number>` exist."""

    now: float = 1000.0
    recorded: list[tuple[str, float]] = field(default_factory=list)
    store: MemoryCaptures = field(default_factory=MemoryCaptures)

    def __post_init__(self) -> None:
        clock = Clock(wall=lambda: self.now)
        self.captures = Captures(self.store, self, clock, lambda: "id", asyncio.to_thread)
        self.recent = RecentCalls(self.captures, self.store, self, clock)

    async def record(self, capture: Capture, seconds: float) -> None:
        self.recorded.append((capture.account_id, seconds))

    async def get(self, account_id: str) -> Account:
        user, slash, _ = account_id.partition("/")
        if not slash:
            raise NotFound.account(account_id)
        return replace(ACCOUNT, account_id=account_id, user_id=user)

    async def calls(self, account_id: str, count: int) -> None:
        (capture,) = self.captures.of(account_id, "x/v1/getX")
        for number in range(count):
            await self.store.put(capture, replace(OK, request_id=f"r{number}"))


async def test_all_operations_of_the_account_are_captured_until_the_end() -> None:
    world = World()
    capture = await world.recent.start("u1/1", "u1", 60)
    assert capture.until == world.now + LOOK_SECONDS + 60
    assert world.recorded == [("u1/1", 60)]
    assert list(world.captures.of("u1/1", "x/v1/getX")) == list(world.captures.of("u1/1", "y/v1/getY")) == [capture]
    assert not world.captures.of("u1/2", "x/v1/getX")
    world.now = capture.until
    assert not world.captures.of("u1/1", "x/v1/getX")


async def test_a_second_request_moves_the_end_and_an_end_stops_it() -> None:
    world = World()
    await world.recent.start("u1/1", "u1", 60)
    moved = await world.recent.start("u1/1", "u1", 600)
    assert list(world.captures.of("u1/1", "x/v1/getX")) == [moved]
    assert await world.recent.running("u1/1") == moved
    await world.calls("u1/1", 1)
    await world.recent.end("u1/1", "u1")
    await world.recent.end("u1/1", "u1")
    assert await world.recent.running("u1/1") is None
    assert world.captures.idle
    listed, token = await world.recent.page("u1/1", "u1", 0, "")
    assert (len(listed), token) == (1, "")


async def test_pages_hold_each_exchange_once_while_more_are_captured() -> None:
    world = World()
    await world.recent.start("u1/1", "u1", 60)
    await world.calls("u1/1", 5)
    first, token = await world.recent.page("u1/1", "u1", 2, "")
    await world.calls("u1/1", 1)
    second, token = await world.recent.page("u1/1", "u1", 2, token)
    third, end = await world.recent.page("u1/1", "u1", 2, token)
    assert [one.request_id for one in (*first, *second, *third)] == ["r4", "r3", "r2", "r1", "r0"]
    assert end == ""
    await world.calls("u1/1", MOST_LISTED + 10)
    listed, token = await world.recent.page("u1/1", "u1", 500, "")
    assert (len(listed), token) == (MOST_LISTED, "")


@pytest.mark.parametrize("token", ["x", "1", "1-", "-1", "1-1-1", "(1-1", "1" * 19 + "-1"])
async def test_a_made_up_token_is_refused(token: str) -> None:
    with pytest.raises(InvalidRequest, match="page_token"):
        await World().recent.page("u1/1", "u1", 0, token)


@pytest.mark.parametrize("account_id", ["u1/1", "unknown"])
async def test_another_users_account_is_one_that_does_not_exist(account_id: str) -> None:
    world = World()
    for refused in (
        world.recent.start(account_id, "u2", 60),
        world.recent.end(account_id, "u2"),
        world.recent.page(account_id, "u2", 0, ""),
    ):
        with pytest.raises(NotFound, match="no such account"):
            await refused
    assert world.recorded == []
    assert world.captures.idle


@pytest.mark.parametrize("seconds", [0, 0.5, 1801])
async def test_an_invalid_duration_is_refused(seconds: float) -> None:
    world = World()
    with pytest.raises(InvalidRequest, match="duration"):
        await world.recent.start("u1/1", "u1", seconds)
    assert world.recorded == []


async def test_captures_of_a_user_and_in_all_are_bounded() -> None:
    world = World()
    for number in range(MOST_OF_USER):
        await world.recent.start(f"u1/{number}", "u1", 60)
    with pytest.raises(PreconditionFailed) as caught:
        await world.recent.start(f"u1/{MOST_OF_USER}", "u1", 60)
    assert caught.value.reason is Reason.USER_LIMIT_REACHED
    await world.recent.start("u1/0", "u1", 120)
    for number in range(MOST_RUNNING - MOST_OF_USER):
        await world.recent.start(f"u{number + 2}/1", f"u{number + 2}", 60)
    with pytest.raises(Overloaded):
        await world.recent.start("u1000/1", "u1000", 60)
    with pytest.raises(Overloaded):
        await world.recent.start("u1000/1", "", 60)


async def test_an_operators_capture_of_the_same_calls_keeps_their_bodies() -> None:
    world = World()
    listed = await world.recent.start("u1/1", "u1", 60)
    of_operator = Capture("c1", "u1/1", "x/v1/getX", world.now + 60)
    await world.captures.begin(of_operator, 60)
    for exchange in (OK, replace(OK, status=400, response_body="InvalidInput")):
        world.captures.submit(world.captures.of("u1/1", "x/v1/getX"), lambda exchange=exchange: exchange)
    async with asyncio.timeout(20):
        while world.store.count < 4:  # noqa: ASYNC110  (the end has no event)
            await asyncio.sleep(0.01)
    assert sorted(one.response_body for one in await world.store.take(of_operator)) == ["InvalidInput", "received"]
    shown = [exchange for _, exchange in world.store.kept[listed.id]]
    assert sorted((one.request_body, one.response_body) for one in shown) == [("", ""), ("", "InvalidInput")]
