"""The adapter of `entries` for the shared Redis: one fetch in the whole cluster, and renewal ahead of need."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Mapping, Sequence
from functools import partial
from typing import Any, Generic, Protocol, Self, TypeVar

from sellergate_common.cache.entries import Counts, Expiring, Lookup, is_acceptable, is_sufficient
from sellergate_common.cache.invalidation import InvalidationListener
from sellergate_common.cache.memory import MemoryEntry
from sellergate_common.cache.store import EntryStore
from sellergate_common.cache.stored import Stored
from sellergate_common.errors import OutOfTime, SellergateError, Unavailable
from sellergate_common.flights.local_flight import LocalFlight
from sellergate_common.flights.single_flight import SingleFlight
from sellergate_common.observability.logs import get_logger
from sellergate_common.tasks import retrieve

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value", bound=Expiring)
_Found = TypeVar("_Found")

# A failed renewal is tried again after these seconds.
RENEWAL_PAUSE_SECONDS = 1.0
# Reasons of failures that say nothing about the value itself.
_TROUBLE = (Unavailable, OutOfTime)


class AdmissionTicket(Protocol):
    """The admission of one fetch, until the end of the context."""

    @property
    def grace(self) -> float | None:
        """The seconds in which the callers may still be served from a cache; None where the fetch is admitted."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *_: object) -> None: ...

    async def wait_for_turn(self) -> None:
        """Wait until the fetch may begin. Raises Overloaded, OutOfTime."""


# Issues the ticket of a fetch; the argument returns the seconds that its callers still wait.
Admit = Callable[[Callable[[], float]], AdmissionTicket]


class AlwaysAdmitted:
    """The admission of a fetch that never waits and is never refused."""

    grace: float | None = None

    def __init__(self, _: Callable[[], float]) -> None: ...

    async def __aenter__(self) -> Self:
        """Begin."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """End."""

    async def wait_for_turn(self) -> None:
        """Return at once."""


class RedisEntries(Generic[_Key, _Value]):
    """Entries of one prefix. `admit` admits fetches that callers wait for; look-ups that hit need no admission."""

    def __init__(
        self, store: EntryStore[_Key, _Value], cluster: SingleFlight[Lookup[_Value]], admit: Admit = AlwaysAdmitted
    ) -> None:
        self._store = store
        self._cluster = cluster
        self._admit = admit
        self._local: LocalFlight[Lookup[_Value]] = LocalFlight()

    @property
    def listeners(self) -> Mapping[str, Sequence[InvalidationListener]]:
        """The listeners of each channel, for the change feed."""
        return {
            self._store.cache.changes: (self._store.memory, self._store.refill),
            self._cluster.channel: (self._cluster.releases,),
        }

    @property
    def counts(self) -> Counts:
        """The counts since the process started."""
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
            # Looked up again: the copy may have been dropped during the fetch.
            held = store.memory.get(key)
            if min_ttl is not None or held is None or not is_acceptable(held.value, store.now()):
                raise
            found = Lookup(held.value, cached=True)
        store.counts.hits += found.cached
        store.counts.misses += not found.cached
        return found

    async def replace(self, key: _Key, fetch: Callable[[], Awaitable[_Value]]) -> None:
        """Fetch a value under the entry's lease, and store it in place of the present one."""
        await self._cluster.get(self._store.codec.name(key), _Replacement(self._store, key, None, fetch))

    async def put(self, key: _Key, value: _Value) -> None:
        """Store a value that was not fetched on request, unless the key has one."""
        await self._store.add(key, value)
        self._store.remember(key, value)

    async def drop_if(self, key: _Key, mark: Any) -> bool:
        """Drop the entry if its value has this mark."""
        return await self._store.drop_if(key, mark)

    async def drop(self, key: _Key) -> bool:
        """Drop the entry and its remembered failure."""
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
            # Before the lease: a fetch that waits for admission must not block other replicas.
            await ticket.wait_for_turn()
            return await self._cluster.get(name, job)

    async def _look_up(self, job: "_FetchJob[_Key, _Value]") -> Lookup[_Value] | None:
        found = await job.look_up()
        if found is None and await self._store.refill.wait_until_done():
            found = await job.look_up()
        return found

    def _renew(self, held: MemoryEntry[_Key, _Value], fetch: Callable[[], Awaitable[_Value]]) -> None:
        """Start to renew a value in the background; callers keep using it meanwhile."""
        held.renew_at = self._store.now() + RENEWAL_PAUSE_SECONDS
        name = self._store.codec.name(held.key)
        job = _FetchJob(self._store, held.key, None, fetch, held.value)
        self._local.start(f"{name}/renewal", lambda: self._renew_value(name, held.value, job))

    async def _renew_value(self, name: str, old: _Value, job: "_FetchJob[_Key, _Value]") -> Lookup[_Value]:
        """Return the value that another replica has renewed, or renew it; the old value stays until then."""
        store, found = self._store, await job.look_up()
        if found is not None:
            return found
        try:
            await store.negative_cache.check(name)
            found = await self._cluster.try_alone(name, job)
        except SellergateError as error:
            get_logger().warning("renewal_failed", reason=error.reason)
            return Lookup(old, cached=True)
        store.counts.renewals += found is not None and not found.cached
        return found or Lookup(old, cached=True)


async def _within(seconds: float | None, look_up: Coroutine[Any, Any, _Found | None]) -> _Found | None:
    """Return the result of a look-up, or None after some seconds; it is not cancelled, because that would cost a connection."""
    if seconds is None:
        return await look_up
    task = asyncio.create_task(look_up)
    task.add_done_callback(retrieve)
    await asyncio.wait({task}, timeout=seconds)
    return task.result() if task.done() else None


class _FetchJob(Generic[_Key, _Value]):
    """The fetch of one missing value, or the renewal of `old`."""

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

    async def look_up(self, stored: Stored | None = None) -> Lookup[_Value] | None:
        """Return the value if another replica has stored it by now."""
        if self._old is not None:
            return await self._store.look_up_newer(self.key, self._old, stored)
        return await self._store.look_up(self.key, self._min_ttl, stored)

    async def fetch(self, fence: int | None) -> Lookup[_Value]:
        """Fetch and store the value; remember a failure for the next callers."""
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


class _Replacement(_FetchJob[_Key, _Value]):
    """The fetch of a value that replaces the present one."""

    async def look_up(self, stored: Stored | None = None) -> None:
        """Return None: whatever is stored was fetched before."""

    async def fetch(self, fence: int | None) -> Lookup[_Value]:
        """Fetch and store the value; a failure says nothing about the present value."""
        return Lookup(await self._store.supersede(self.key, await self._load(), fence), cached=False)
