"""The store of shared entries: sealed in Redis, with copies in this process, and with recent failures."""

import asyncio
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from pydantic import SecretStr

from sellergate_common.cache.entries import (
    COOL_OFF_SECONDS,
    Counts,
    Expiring,
    Lookup,
    is_sufficient,
    limit_ttl,
    renewal_time,
)
from sellergate_common.cache.memory import EntryMemory, Refill
from sellergate_common.cache.negative import NegativeCache
from sellergate_common.cache.refused import RefusedMarks, text_of
from sellergate_common.cache.sealed import SealedCache
from sellergate_common.cache.stored import Stored
from sellergate_common.clock import Clock
from sellergate_common.flights.lease import lease_keys
from sellergate_common.observability.logs import get_logger

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value", bound=Expiring)


@dataclass(frozen=True, slots=True)
class Codec(Generic[_Key, _Value]):
    """The encoding of keys and values: the name in Redis, the subject to announce, the text, and a value's mark.

    `version` orders the keys of one subject: a change of an account gives it a key with a greater number.
    """

    name: Callable[[_Key], str]
    subject: Callable[[_Key], str]
    encode: Callable[[_Value], str]
    decode: Callable[[str], _Value]
    mark: Callable[[_Value], Any]
    version: Callable[[_Key], int] = lambda _: 0


class EntryStore(Generic[_Key, _Value]):
    """Entries of one prefix. `jitter` returns a random number in [0, 1). The change feed must notify `memory`."""

    def __init__(
        self,
        cache: SealedCache,
        codec: Codec[_Key, _Value],
        service: str,
        clock: Clock,
        jitter: Callable[[], float],
    ) -> None:
        self.cache = cache
        self.codec = codec
        self.now = clock.wall
        self._jitter = jitter
        self.counts = Counts()
        self.negative_cache = NegativeCache(cache, service, clock.monotonic)
        self.memory: EntryMemory[_Key, _Value] = EntryMemory(codec.subject, codec.version)
        self._refused = RefusedMarks(clock.monotonic)
        self.refill = Refill(cache.mark, self.share_all, clock)

    async def look_up(self, key: _Key, min_ttl: float | None, stored: Stored | None = None) -> Lookup[_Value] | None:
        """Return the shared value, or else this process's copy, if it lives long enough. Raises a remembered failure.

        `stored` is what Redis holds, if it was just read.
        """
        name = self.codec.name(key)
        if stored is None:
            stored = await self.cache.read(name)
        value = self._read(name, stored)
        if value is not None and self._is_refused(name, value):
            # Redis could not drop it before, or has got it back: a new value takes its place.
            await self._drop_refused(name, self.codec.mark(value))
            value = None
        held = self.memory.get(key)
        if value is None and held is not None and held.value.expire_time > self.now():
            # Redis has lost the entry, or does not respond: this process's copy refills it.
            value = held.value
            await self.add(key, value)
        if value is not None and is_sufficient(value, min_ttl, self.now()):
            self.remember(key, value)
            return Lookup(value, cached=True)
        self.negative_cache.check_stored(name, stored)
        return None

    async def look_up_newer(self, key: _Key, old: _Value, stored: Stored | None = None) -> Lookup[_Value] | None:
        """Return the shared value if it ends later than `old`, which is to be renewed. `stored` is as for `look_up`."""
        name = self.codec.name(key)
        value = await self.shared(name) if stored is None else self._open(name, stored)
        if value is None or value.expire_time <= old.expire_time:
            return None
        self.remember(key, value)
        return Lookup(value, cached=True)

    async def shared(self, name: str) -> _Value | None:
        """Return the value in Redis."""
        return self._open(name, await self.cache.read(name))

    def _open(self, name: str, stored: Stored) -> _Value | None:
        value = self._read(name, stored)
        return None if value is None or self._is_refused(name, value) else value

    def _read(self, name: str, stored: Stored) -> _Value | None:
        opened = self.cache.open(name, stored.entry) if stored.left > 0 else None
        value = None if opened is None else self._decode(opened)
        # Each replica has its own clock; the entry expires by Redis' clock.
        return None if value is None else limit_ttl(value, stored.left, self.now())

    def _is_refused(self, name: str, value: _Value) -> bool:
        return self._refused.contains(name, partial(self.codec.mark, value))

    async def _drop_refused(self, name: str, mark: Any) -> bool:
        return await self.cache.drop_if(name, lambda opened: self._has_mark(opened, mark))

    async def keep(self, key: _Key, value: _Value, fence: int | None) -> _Value:
        """Store a value fetched under a fencing number; return it, or the value of a replica that has taken over since."""
        name = self.codec.name(key)
        self._refused.discard(name, partial(self.codec.mark, value))
        if fence is None:
            await self.add(key, value)
        elif (
            await self.cache.put_fenced(name, self._text(value), self._left(value), lease_keys(name)[1], fence) is False
        ):
            self.counts.discarded += 1
            get_logger().warning("late_result_discarded")
            newer = await self.shared(name)
            value = value if newer is None else newer
        self.remember(key, value)
        return value

    async def supersede(self, key: _Key, value: _Value, fence: int | None) -> _Value:
        """Store a value as `keep` does, forget the entry's remembered failure, and announce the change."""
        if fence is None:
            # Without a lease a value only takes an empty place.
            await self.cache.drop(self.codec.name(key))
        kept = await self.keep(key, value, fence)
        await self.negative_cache.forget(self.codec.name(key))
        # After the store: a replica that dropped its copy before would read the old value again.
        await self.cache.announce(self.codec.subject(key))
        return kept

    async def find_newer(self, key: _Key, min_ttl: float | None, old: _Value | None) -> Lookup[_Value] | None:
        """Return the value that another replica has fetched while this one failed; `old` is the value to renew."""
        value = await self.shared(self.codec.name(key))
        if (
            value is None
            or not is_sufficient(value, min_ttl, self.now())
            or (old and value.expire_time <= old.expire_time)
        ):
            return None
        self.counts.discarded += 1
        get_logger().warning("late_failure_discarded")
        self.remember(key, value)
        return Lookup(value, cached=True)

    async def add(self, key: _Key, value: _Value) -> bool:
        """Add a value to Redis where there is none; return whether it was added."""
        return await self.cache.add(self.codec.name(key), self._text(value), self._left(value))

    async def share_all(self, at_once: int) -> int:
        """Add this process's copies to Redis where entries are missing, in batches; return how many were missing."""
        left, added = iter(self.memory.all()), 0

        async def worker() -> None:
            nonlocal added
            for held in left:
                # Looked up again: the copy may have been dropped since.
                if self.memory.get(held.key) is held and held.value.expire_time > self.now():
                    added += await self.add(held.key, held.value)

        await asyncio.gather(*(worker() for _ in range(at_once)))
        return added

    def remember(self, key: _Key, value: _Value) -> None:
        """Store a copy in this process."""
        self.memory.put(key, value, renewal_time(value, self._jitter()))

    async def drop_if(self, key: _Key, mark: Any) -> bool:
        """Drop the entry here and in Redis if its value has this mark, and announce it; at most one value in COOL_OFF_SECONDS.

        A value that was dropped before is dropped again: a replica that was cut from Redis meanwhile may still have it. Where Redis
        does not respond, this process uses it no longer.
        """
        codec, held, name = self.codec, self.memory.get(key), self.codec.name(key)
        own = held is not None and codec.mark(held.value) == mark
        last = await self.cache.get(_cool_off(name))
        if last is not None and last != text_of(mark):
            get_logger().warning("refused_again")
            return False
        if own:
            self.memory.forget(codec.subject(key))
        self._refused.add(name, mark)
        dropped = await self._drop_refused(name, mark)
        if dropped or own:
            await self.cache.put(_cool_off(name), text_of(mark), COOL_OFF_SECONDS)
            await self.cache.announce(codec.subject(key))
        return dropped or own

    async def drop(self, key: _Key) -> bool:
        """Drop the entry and its remembered failure, and announce it."""
        name, subject = self.codec.name(key), self.codec.subject(key)
        own = self.memory.get(key) is not None
        self.memory.forget(subject)
        await self.negative_cache.forget(name)
        dropped = await self.cache.drop(name)
        await self.cache.announce(subject)
        return dropped or own

    def _decode(self, opened: SecretStr) -> _Value | None:
        """Return the value of an entry; None for another release's shape, which counts as a miss."""
        try:
            return self.codec.decode(opened.get_secret_value())
        except (ValueError, TypeError, KeyError):
            return None

    def _has_mark(self, opened: SecretStr, mark: Any) -> bool:
        value = self._decode(opened)
        return value is not None and bool(self.codec.mark(value) == mark)

    def _text(self, value: _Value) -> SecretStr:
        return SecretStr(self.codec.encode(value))

    def _left(self, value: _Value) -> float:
        return value.expire_time - self.now()


def _cool_off(name: str) -> str:
    return f"{name}:cool"
