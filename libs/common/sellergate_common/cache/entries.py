"""The port of a cache that all replicas share: values that end, fetched once for all callers that want them at the time.

Pure: the domains of token and iam depend on it; `redis_entries` is its adapter.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, Generic, Protocol, TypeVar, cast

# A caller that does not say how much life it needs gets this many seconds at least, or a tenth of a life that is shorter.
# A call that carries a value may arrive after its end; Amazon's own SDKs keep 30 to 60 s of a token.
MARGIN_SECONDS = 60.0
_MARGIN_SHARE = 0.1
# Clocks that agree to this are not corrected.
_AGREEING_SECONDS = 1.0
# More than a life without this cannot be asked for: a value has spent some of its life when it arrives.
SPENT_SECONDS = 30.0
# A value that was dropped because Amazon refused it is not dropped again for this long, under the same key: where the next one is
# refused too, a third would be no better.
COOL_OFF_SECONDS = 60.0
# Past this share of its life a value is renewed while callers go on using it. The jitter keeps replicas and sellers apart.
_RENEWED_AT, _RENEWED_JITTER = 0.80, 0.05


class Expiring(Protocol):
    """A value that ends: `expire_time` in seconds since the epoch, and the seconds that it lived when it was new."""

    @property
    def expire_time(self) -> float:
        """When it ends."""

    @property
    def life(self) -> float:
        """The whole life it was given."""


_Key_contra = TypeVar("_Key_contra", contravariant=True)
_Value = TypeVar("_Value", bound=Expiring)
_Mark_contra = TypeVar("_Mark_contra", contravariant=True)


@dataclass(frozen=True, slots=True)
class Lookup(Generic[_Value]):
    """A value, and whether it was there already."""

    value: _Value
    cached: bool


@dataclass(slots=True)
class Counts:
    """What happened to a cache since the process started."""

    hits: int = 0
    misses: int = 0
    fetches: int = 0
    shared_waits: int = 0
    failures: int = 0
    # Results that came too late: another had taken over, and theirs stays.
    discarded: int = 0
    # Fetches before they were needed.
    renewals: int = 0

    @property
    def hit_ratio(self) -> float:
        """Hits among all responses; 0 when nothing was asked."""
        asked = self.hits + self.misses
        return self.hits / asked if asked else 0.0


class Entries(Protocol[_Key_contra, _Value, _Mark_contra]):
    """Entries by key, any of which may be lost at any moment. A mark names a value and reveals nothing of it."""

    @property
    def counts(self) -> Counts:
        """What happened since the process started."""

    async def obtain(
        self, key: _Key_contra, min_ttl: float | None, fetch: Callable[[], Awaitable[_Value]]
    ) -> Lookup[_Value]:
        """Return a value that lives for `min_ttl` seconds more, from the cache or fetched once for all callers at the time.

        Where not even a new value lives as long, the present one is returned. Raises what `fetch` raises, or has raised a
        moment ago, and OutOfTime.
        """

    async def put(self, key: _Key_contra, value: _Value) -> None:
        """Keep a value that no caller of this process asked for, unless there is one."""

    async def drop_if(self, key: _Key_contra, mark: _Mark_contra) -> bool:
        """Drop the entry if its value has this mark, at most once in COOL_OFF_SECONDS; True when it was dropped."""

    async def drop(self, key: _Key_contra) -> bool:
        """Drop the entry, and the memory of a failure; True when there was an entry."""

    async def clear(self) -> int:
        """Drop all entries and return how many there were. Raises Unavailable."""

    async def count(self) -> int:
        """Return how many entries there are. Raises Unavailable."""


def is_sufficient(value: Expiring, min_ttl: float | None, now: float) -> bool:
    """Return whether a value lives long enough, or as long as a new one would."""
    left = value.expire_time - now
    needed = _margin(value) if min_ttl is None else min_ttl
    return left >= needed or (left > 0 and needed > longest_ttl(value.life))


def is_acceptable(value: Expiring, now: float) -> bool:
    """Return whether a value near its end may still serve a caller that asked for no `min_ttl`."""
    return value.expire_time - now >= _margin(value) / 10


def longest_ttl(life: float) -> float:
    """Return how much life can be asked for, of values that live as long as this when they are new."""
    return max(life - SPENT_SECONDS, life * (1 - _MARGIN_SHARE))


def limit_ttl(value: _Value, left: float, now: float) -> _Value:
    """Return a value that lives for `left` seconds more and no longer, whatever another process's clock said of its end.

    Where the clocks agree to a second, that is the value as it was written.
    """
    ends = now + left
    return value if value.expire_time <= ends + _AGREEING_SECONDS else replace(cast("Any", value), expire_time=ends)


def renewal_time(value: Expiring, jitter: float) -> float:
    """Return when a value is to be renewed; `jitter` is from 0 to 1."""
    return value.expire_time - value.life * (1 - _RENEWED_AT - _RENEWED_JITTER * jitter)


def copy_seconds(value: Expiring, now: float) -> float:
    """Return how long another process may use a copy before it asks the owner again, which renews it ahead of need."""
    ahead = renewal_time(value, 1.0) - now
    return ahead if ahead > 0 else min(1.0, value.expire_time - now - _margin(value))


def _margin(value: Expiring) -> float:
    return min(MARGIN_SECONDS, value.life * _MARGIN_SHARE)
