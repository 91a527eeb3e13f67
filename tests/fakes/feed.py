"""An owner of rows in virtual time, with a list of changes that can fail, and a process that keeps copies of its rows."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from sellergate_common.cache.stale_if_error import LOOK_SECONDS, StaleIfErrorCache
from sellergate_common.clock import Clock
from sellergate_common.errors import NotFound, OutOfTime, SellergateError, Unavailable
from sellergate_common.feed.follower import ChangeFollower
from sellergate_common.feed.ports import REMOVED, Change, ChangePage
from sellergate_common.feed.trust import Trust

KIND = "row"


def forbidden_clock() -> float:
    raise AssertionError("the time of day decides about nothing")


def virtual_clock() -> Clock:
    return Clock(wall=forbidden_clock, monotonic=asyncio.get_running_loop().time, sleep=asyncio.sleep)


@dataclass(frozen=True)
class Row:
    id: str
    version: int


@dataclass
class Owner:
    """Rows by id and the list of their changes. A response reads at half of `seconds()`, and fails with `error`."""

    seconds: Callable[[], float] = lambda: 0.002
    error: SellergateError | None = None
    history: str = "1"
    versions: dict[str, int] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    repeated: int = 0
    fetched: list[str] = field(default_factory=list)
    polled: int = 0

    def commit(self, id_: str) -> int:
        """Change a row, and return its version."""
        self.versions[id_] = self.versions.get(id_, 0) + 1
        self.changes.append(Change(KIND, id_, self.versions[id_]))
        return self.versions[id_]

    def remove(self, id_: str) -> None:
        del self.versions[id_]
        self.changes.append(Change(KIND, id_, REMOVED))

    async def fetch(self, id_: str) -> Row:
        self.fetched.append(id_)
        seconds = self.seconds()
        if seconds > LOOK_SECONDS:
            await asyncio.sleep(LOOK_SECONDS)
            raise OutOfTime("The owner did not respond in time; try again.")
        half = seconds / 2
        await asyncio.sleep(half)
        self._check()
        version = self.versions.get(id_)
        await asyncio.sleep(half)
        if version is None:
            raise NotFound.account(id_)
        return Row(id_, version)

    async def read(self, cursor: str) -> ChangePage:
        self.polled += 1
        half = self.seconds() / 2
        await asyncio.sleep(half)
        self._check()
        history, _, position = cursor.partition(".")
        following = f"{self.history}.{len(self.changes)}"
        since = None if history != self.history else list(self.changes[max(0, int(position) - self.repeated) :])
        await asyncio.sleep(half)
        return ChangePage(since or (), following, forgets_all=since is None)

    def _check(self) -> None:
        if self.error is not None:
            raise self.error


class Process:
    """A process that keeps copies of an owner's rows and follows their changes."""

    def __init__(self, owner: Owner, clock: Clock, size: int = 1000) -> None:
        self.owner = owner
        self.connected = True
        self.trust = Trust()
        self.copies: StaleIfErrorCache[Row] = StaleIfErrorCache(
            clock.monotonic,
            lambda: self.connected,
            trust=self.trust,
            version_of=lambda row: row.version,
            size=size,
        )
        self.follower = ChangeFollower(owner, {KIND: (self.copies,)}, self.trust, clock)

    async def version(self, id_: str = "a") -> int:
        return (await self.copies.get(id_, lambda: self.owner.fetch(id_))).version


DOWN = Unavailable("The owner is down; try again.", retry_after=1.0)
