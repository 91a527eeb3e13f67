"""`entries` in the shared Redis: one fetch in the whole cluster, and renewal before it is needed."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Mapping, Sequence
from functools import partial
from typing import Any, Generic, Protocol, Self, TypeVar

from sellergate_common.cache.entries import Counts, Found, Perishable, is_bearable, is_enough
from sellergate_common.cache.invalidation import Forgetful
from sellergate_common.cache.memory import Held
from sellergate_common.cache.single_flight import LocalFlight, SingleFlight
from sellergate_common.cache.store import Shelf
from sellergate_common.errors import OutOfTime, SellergateError, Unavailable
from sellergate_common.observability.logs import get_logger
from sellergate_common.tasks import retrieve

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value", bound=Perishable)
_Found = TypeVar("_Found")

# A renewal that did not come about is tried again after this long.
RENEWAL_PAUSE_SECONDS = 1.0
# What says nothing about the value itself.
_TROUBLE = (Unavailable, OutOfTime)


class Place(Protocol):
    """The place of one fetch among others, until the end of the context."""

    @property
    def grace(self) -> float | None:
        """The seconds in which its callers may be served otherwise; None where it is admitted."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *_: object) -> None: ...

    async def turn(self) -> None:
        """Wait for the turn. Raises Overloaded, OutOfTime."""


# Gives a fetch a place by the time that is left to its callers: a function returns that in seconds.
Admit = Callable[[Callable[[], float]], Place]


class Always:
    """The place of a fetch that is always admitted."""

    grace: float | None = None

    def __init__(self, _: Callable[[], float]) -> None: ...

    async def __aenter__(self) -> Self:
        """Begin."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """End."""

    async def turn(self) -> None:
        """Begin at once."""


class RedisEntries(Generic[_Key, _Value]):
    """Entries of one prefix. Fetches that callers wait for are admitted by `admit`; what is found in a cache is not."""

    def __init__(self, shelf: Shelf[_Key, _Value], cluster: SingleFlight[Found[_Value]], admit: Admit = Always) -> None:
        self._shelf = shelf
        self._cluster = cluster
        self._admit = admit
        self._local: LocalFlight[Found[_Value]] = LocalFlight()

    @property
    def listeners(self) -> Mapping[str, Sequence[Forgetful]]:
        """What must hear which channel."""
        return {
            self._shelf.cache.changes: (self._shelf.memory, self._shelf.refill),
            self._cluster.channel: (self._cluster.releases,),
        }

    @property
    def counts(self) -> Counts:
        """What happened since the process started."""
        self._shelf.counts.shared_waits = self._local.shared + self._cluster.shared
        return self._shelf.counts

    async def obtain(self, key: _Key, least: float | None, fetch: Callable[[], Awaitable[_Value]]) -> Found[_Value]:
        """Return a value that lives long enough."""
        shelf, now = self._shelf, self._shelf.now()
        held = shelf.memory.get(key)
        if held is not None and shelf.memory.is_trusted(held) and is_enough(held.value, least, now):
            shelf.counts.hits += 1
            if now >= held.renew_at:
                self._renew(held, fetch)
            return Found(held.value, cached=True)
        name = shelf.codec.name(key)
        errand, flight = _Errand(shelf, key, least, fetch), f"{name}/{least}"
        left = partial(self._local.time_left, flight)
        try:
            found = await self._local.get(flight, lambda: self._missing(name, errand, left))
        except _TROUBLE:
            if least is not None or held is None or not is_bearable(held.value, shelf.now()):
                raise
            found = Found(held.value, cached=True)
        shelf.counts.hits += found.cached
        shelf.counts.misses += not found.cached
        return found

    async def put(self, key: _Key, value: _Value) -> None:
        """Keep a value that nobody asked for here, unless there is one."""
        await self._shelf.add(key, value)
        self._shelf.remember(key, value)

    async def drop_if(self, key: _Key, mark: Any) -> bool:
        """Drop the entry if its value has this mark."""
        return await self._shelf.drop_if(key, mark)

    async def drop(self, key: _Key) -> bool:
        """Drop the entry, and the memory of a failure."""
        return await self._shelf.drop(key)

    async def clear(self) -> int:
        """Drop all entries. Raises Unavailable."""
        self._shelf.memory.forget_all()
        return await self._shelf.cache.clear()

    async def count(self) -> int:
        """Return how many entries there are. Raises Unavailable."""
        return await self._shelf.cache.count()

    async def _missing(self, name: str, errand: "_Errand[_Key, _Value]", left: Callable[[], float]) -> Found[_Value]:
        async with self._admit(left) as place:
            found = await _within(place.grace, self._looked(errand))
            if found is not None:
                return found
            # Before the lease: work that waits for its turn must not keep other replicas from it.
            await place.turn()
            return await self._cluster.get(name, errand)

    async def _looked(self, errand: "_Errand[_Key, _Value]") -> Found[_Value] | None:
        found = await errand.look()
        if found is None and await self._shelf.refill.settled():
            found = await errand.look()
        return found

    def _renew(self, held: Held[_Key, _Value], fetch: Callable[[], Awaitable[_Value]]) -> None:
        """Begin to renew a value that everybody goes on with."""
        held.renew_at = self._shelf.now() + RENEWAL_PAUSE_SECONDS
        name = self._shelf.codec.name(held.key)
        errand = _Errand(self._shelf, held.key, None, fetch, held.value)
        self._local.start(f"{name}/renewal", lambda: self._renewed(name, held.value, errand))

    async def _renewed(self, name: str, old: _Value, errand: "_Errand[_Key, _Value]") -> Found[_Value]:
        """Take what another replica has renewed, or renew it; where another is about to, or it fails, the old one stays."""
        shelf = self._shelf
        shared = await shelf.shared(name)
        if shared is not None and shared.expire_time > old.expire_time:
            shelf.remember(errand.key, shared)
            return Found(shared, cached=True)
        try:
            await shelf.failures.check(name)
            found = await self._cluster.try_alone(name, errand)
        except SellergateError as error:
            get_logger().warning("renewal_failed", reason=error.reason)
            return Found(old, cached=True)
        shelf.counts.renewals += found is not None
        return found or Found(old, cached=True)


async def _within(seconds: float | None, look: Coroutine[Any, Any, _Found | None]) -> _Found | None:
    """Return what a look finds within some seconds. One that takes longer goes on unheard: to cancel it costs a connection."""
    if seconds is None:
        return await look
    task = asyncio.create_task(look)
    task.add_done_callback(retrieve)
    await asyncio.wait({task}, timeout=seconds)
    return task.result() if task.done() else None


class _Errand(Generic[_Key, _Value]):
    """One search for a value that is not at hand."""

    def __init__(
        self,
        shelf: Shelf[_Key, _Value],
        key: _Key,
        least: float | None,
        bring: Callable[[], Awaitable[_Value]],
        old: _Value | None = None,
    ) -> None:
        self._old = old
        self.key = key
        self._shelf = shelf
        self._least = least
        self._bring = bring

    async def look(self) -> Found[_Value] | None:
        """Return the value if it is there by now."""
        return await self._shelf.look(self.key, self._least)

    async def fetch(self, fence: int | None) -> Found[_Value]:
        """Fetch the value and keep it; a failure is remembered for those who come next."""
        try:
            value = await self._bring()
        except SellergateError as error:
            newer = (
                await self._shelf.taken_over(self.key, self._least, self._old) if isinstance(error, _TROUBLE) else None
            )
            if newer is not None:
                return newer
            await self._shelf.failures.note(self._shelf.codec.name(self.key), error)
            raise
        return Found(await self._shelf.keep(self.key, value, fence), cached=False)
