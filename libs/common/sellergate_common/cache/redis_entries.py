"""`entries` in the shared Redis: one fetch in the whole cluster, and renewal before it is needed."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Mapping, Sequence
from functools import partial
from typing import Any, Generic, Protocol, Self, TypeVar

from sellergate_common.cache.entries import Counts, Expiring, Lookup, is_acceptable, is_sufficient
from sellergate_common.cache.invalidation import InvalidationListener
from sellergate_common.cache.memory import MemoryEntry
from sellergate_common.cache.single_flight import LocalFlight, SingleFlight
from sellergate_common.cache.store import EntryStore
from sellergate_common.errors import OutOfTime, SellergateError, Unavailable
from sellergate_common.observability.logs import get_logger
from sellergate_common.tasks import retrieve

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value", bound=Expiring)
_Found = TypeVar("_Found")

# A renewal that did not come about is tried again after this long.
RENEWAL_PAUSE_SECONDS = 1.0
# What says nothing about the value itself.
_TROUBLE = (Unavailable, OutOfTime)


class AdmissionTicket(Protocol):
    """The place of one fetch among others, until the end of the context."""

    @property
    def grace(self) -> float | None:
        """The seconds in which its callers may be served otherwise; None where it is admitted."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *_: object) -> None: ...

    async def wait_for_turn(self) -> None:
        """Wait for the turn. Raises Overloaded, OutOfTime."""


# Gives a fetch a place by the time that is left to its callers: a function returns that in seconds.
Admit = Callable[[Callable[[], float]], AdmissionTicket]


class AlwaysAdmitted:
    """The place of a fetch that is always admitted."""

    grace: float | None = None

    def __init__(self, _: Callable[[], float]) -> None: ...

    async def __aenter__(self) -> Self:
        """Begin."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """End."""

    async def wait_for_turn(self) -> None:
        """Begin at once."""


class RedisEntries(Generic[_Key, _Value]):
    """Entries of one prefix. Fetches that callers wait for are admitted by `admit`; what is found in a cache is not."""

    def __init__(
        self, store: EntryStore[_Key, _Value], cluster: SingleFlight[Lookup[_Value]], admit: Admit = AlwaysAdmitted
    ) -> None:
        self._store = store
        self._cluster = cluster
        self._admit = admit
        self._local: LocalFlight[Lookup[_Value]] = LocalFlight()

    @property
    def listeners(self) -> Mapping[str, Sequence[InvalidationListener]]:
        """The listeners of each channel, to be passed to the feed."""
        return {
            self._store.cache.changes: (self._store.memory, self._store.refill),
            self._cluster.channel: (self._cluster.releases,),
        }

    @property
    def counts(self) -> Counts:
        """What happened since the process started."""
        self._store.counts.shared_waits = self._local.shared + self._cluster.shared
        return self._store.counts

    async def obtain(self, key: _Key, min_ttl: float | None, fetch: Callable[[], Awaitable[_Value]]) -> Lookup[_Value]:
        """Return a value that lives long enough."""
        store, now = self._store, self._store.now()
        held = store.memory.get(key)
        if held is not None and store.memory.is_trusted(held) and is_sufficient(held.value, min_ttl, now):
            store.counts.hits += 1
            if now >= held.renew_at:
                self._renew(held, fetch)
            return Lookup(held.value, cached=True)
        name = store.codec.name(key)
        job, flight = _FetchJob(store, key, min_ttl, fetch), f"{name}/{min_ttl}"
        left = partial(self._local.time_left, flight)
        try:
            found = await self._local.get(flight, lambda: self._fetch_missing(name, job, left))
        except _TROUBLE:
            if min_ttl is not None or held is None or not is_acceptable(held.value, store.now()):
                raise
            found = Lookup(held.value, cached=True)
        store.counts.hits += found.cached
        store.counts.misses += not found.cached
        return found

    async def put(self, key: _Key, value: _Value) -> None:
        """Keep a value that no caller of this process asked for, unless there is one."""
        await self._store.add(key, value)
        self._store.remember(key, value)

    async def drop_if(self, key: _Key, mark: Any) -> bool:
        """Drop the entry if its value has this mark."""
        return await self._store.drop_if(key, mark)

    async def drop(self, key: _Key) -> bool:
        """Drop the entry, and the memory of a failure."""
        return await self._store.drop(key)

    async def clear(self) -> int:
        """Drop all entries. Raises Unavailable."""
        self._store.memory.forget_all()
        return await self._store.cache.clear()

    async def count(self) -> int:
        """Return how many entries there are. Raises Unavailable."""
        return await self._store.cache.count()

    async def _fetch_missing(
        self, name: str, job: "_FetchJob[_Key, _Value]", left: Callable[[], float]
    ) -> Lookup[_Value]:
        async with self._admit(left) as ticket:
            found = await _within(ticket.grace, self._look_up(job))
            if found is not None:
                return found
            # Before the lease: work that waits for its turn must not keep other replicas from it.
            await ticket.wait_for_turn()
            return await self._cluster.get(name, job)

    async def _look_up(self, job: "_FetchJob[_Key, _Value]") -> Lookup[_Value] | None:
        found = await job.look_up()
        if found is None and await self._store.refill.wait_until_done():
            found = await job.look_up()
        return found

    def _renew(self, held: MemoryEntry[_Key, _Value], fetch: Callable[[], Awaitable[_Value]]) -> None:
        """Begin to renew a value, which callers go on using meanwhile."""
        held.renew_at = self._store.now() + RENEWAL_PAUSE_SECONDS
        name = self._store.codec.name(held.key)
        job = _FetchJob(self._store, held.key, None, fetch, held.value)
        self._local.start(f"{name}/renewal", lambda: self._renew_value(name, held.value, job))

    async def _renew_value(self, name: str, old: _Value, job: "_FetchJob[_Key, _Value]") -> Lookup[_Value]:
        """Return the value that another replica has renewed, or renew it; until that has succeeded the old one stays."""
        store = self._store
        shared = await store.shared(name)
        if shared is not None and shared.expire_time > old.expire_time:
            store.remember(job.key, shared)
            return Lookup(shared, cached=True)
        try:
            await store.negative_cache.check(name)
            found = await self._cluster.try_alone(name, job)
        except SellergateError as error:
            get_logger().warning("renewal_failed", reason=error.reason)
            return Lookup(old, cached=True)
        store.counts.renewals += found is not None
        return found or Lookup(old, cached=True)


async def _within(seconds: float | None, look_up: Coroutine[Any, Any, _Found | None]) -> _Found | None:
    """Return what a look finds within some seconds, or None. A longer one goes on unobserved: to cancel it costs a connection."""
    if seconds is None:
        return await look_up
    task = asyncio.create_task(look_up)
    task.add_done_callback(retrieve)
    await asyncio.wait({task}, timeout=seconds)
    return task.result() if task.done() else None


class _FetchJob(Generic[_Key, _Value]):
    """One search for a value that is not at hand."""

    def __init__(
        self,
        store: EntryStore[_Key, _Value],
        key: _Key,
        min_ttl: float | None,
        load: Callable[[], Awaitable[_Value]],
        old: _Value | None = None,
    ) -> None:
        self._old = old
        self.key = key
        self._store = store
        self._min_ttl = min_ttl
        self._load = load

    async def look_up(self) -> Lookup[_Value] | None:
        """Return the value if it is there by now."""
        return await self._store.look_up(self.key, self._min_ttl)

    async def fetch(self, fence: int | None) -> Lookup[_Value]:
        """Fetch the value and keep it; a failure is remembered for the next callers."""
        try:
            value = await self._load()
        except SellergateError as error:
            newer = (
                await self._store.find_newer(self.key, self._min_ttl, self._old)
                if isinstance(error, _TROUBLE)
                else None
            )
            if newer is not None:
                return newer
            await self._store.negative_cache.record(self._store.codec.name(self.key), error)
            raise
        return Lookup(await self._store.keep(self.key, value, fence), cached=False)
