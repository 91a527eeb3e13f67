"""The port of a cache that all replicas share: expiring values, each fetched once for all callers that wait for it.

Pure: the domains of token and iam depend on it; `redis_entries` is its adapter.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, Generic, Protocol, TypeVar, cast

# A caller without `min_ttl` gets a value that lives for at least these seconds, or for a tenth of its life if that is less.
# A call may arrive at Amazon after its value has expired; Amazon's own SDKs reserve 30 to 60 s of a token.
MARGIN_SECONDS = 60.0
_MARGIN_SHARE = 0.1
# Clocks that agree within these seconds are not corrected.
_AGREEING_SECONDS = 1.0
# A caller can request at most a whole lifetime less these seconds, because a value has used some of its lifetime when it arrives.
SPENT_SECONDS = 30.0
# After a value was dropped because Amazon refused it, the key's next value is not dropped for these seconds: if Amazon
# refuses that one too, a third value would not help.
COOL_OFF_SECONDS = 60.0
# After this share of its life a value is renewed while callers keep using it. The jitter spreads replicas and sellers.
_RENEWED_AT, _RENEWED_JITTER = 0.80, 0.05


class Expiring(Protocol):
    """A value that expires: `expire_time` in seconds since the epoch, and `life`, its seconds of life when new."""

    @property
    def expire_time(self) -> float:
        """The time of expiry, in seconds since the epoch."""

    @property
    def life(self) -> float:
        """The seconds between issue and expiry."""


_Key_contra = TypeVar("_Key_contra", contravariant=True)
_Value = TypeVar("_Value", bound=Expiring)
_Mark_contra = TypeVar("_Mark_contra", contravariant=True)


@dataclass(frozen=True, slots=True)
class Lookup(Generic[_Value]):
    """A value, and whether it was found in the cache."""

    value: _Value
    cached: bool


@dataclass(slots=True)
class Counts:
    """Counts of a cache's events since the process started."""

    hits: int = 0
    misses: int = 0
    fetches: int = 0
    shared_waits: int = 0
    failures: int = 0
    # Results that arrived after another replica had taken over the lease; the other replica's value stays.
    discarded: int = 0
    # Fetches ahead of need.
    renewals: int = 0

    @property
    def hit_ratio(self) -> float:
        """The share of look-ups that were hits; 0 without look-ups."""
        lookups = self.hits + self.misses
        return self.hits / lookups if lookups else 0.0


class Entries(Protocol[_Key_contra, _Value, _Mark_contra]):
    """A cache of entries by key, any of which may be lost at any moment. A mark identifies a value without revealing it."""

    @property
    def counts(self) -> Counts:
        """The counts since the process started."""

    async def obtain(
        self, key: _Key_contra, min_ttl: float | None, fetch: Callable[[], Awaitable[_Value]]
    ) -> Lookup[_Value]:
        """Return a value with at least `min_ttl` seconds to live, from the cache or fetched once for all callers.

        Return the present value if even a new one would not live that long. Raises what `fetch` raises, or raised
        within its cooldown, and OutOfTime.
        """

    async def replace(self, key: _Key_contra, fetch: Callable[[], Awaitable[_Value]]) -> None:
        """Fetch a value after any fetch of the key that has begun, and store it in one step in place of the present one.

        Meanwhile callers of `obtain` get the present value, or wait where there is none. Raises what `fetch` raises; then the
        present value stays.
        """

    async def put(self, key: _Key_contra, value: _Value) -> None:
        """Store a value that was not fetched on request, unless the key has one."""

    async def drop_if(self, key: _Key_contra, mark: _Mark_contra) -> bool:
        """Drop the entry if its value has this mark, at most once in COOL_OFF_SECONDS; return whether it was dropped."""

    async def drop(self, key: _Key_contra) -> bool:
        """Drop the entry and its remembered failure; return whether there was an entry."""

    async def clear(self) -> int:
        """Drop all entries and return how many there were. Raises Unavailable."""

    async def count(self) -> int:
        """Return how many entries there are. Raises Unavailable."""


def is_sufficient(value: Expiring, min_ttl: float | None, now: float) -> bool:
    """Return whether a value lives long enough, or as long as a new value would."""
    left = value.expire_time - now
    needed = _margin(value) if min_ttl is None else min_ttl
    return left >= needed or (left > 0 and needed > longest_ttl(value.life))


def is_acceptable(value: Expiring, now: float) -> bool:
    """Return whether a value near its expiry may still serve a caller without `min_ttl`."""
    return value.expire_time - now >= _margin(value) / 10


def longest_ttl(life: float) -> float:
    """Return the longest `min_ttl` in seconds that a caller can request, given the life of such a value when new."""
    return max(life - SPENT_SECONDS, life * (1 - _MARGIN_SHARE))


def limit_ttl(value: _Value, left: float, now: float) -> _Value:
    """Return the value with at most `left` seconds to live, independent of the clock of the process that wrote it.

    Where the clocks agree within a second, return the value unchanged.
    """
    ends = now + left
    return value if value.expire_time <= ends + _AGREEING_SECONDS else replace(cast("Any", value), expire_time=ends)


def renewal_time(value: Expiring, jitter: float) -> float:
    """Return the time at which to renew a value, in seconds since the epoch; `jitter` is from 0 to 1."""
    return value.expire_time - value.life * (1 - _RENEWED_AT - _RENEWED_JITTER * jitter)


def copy_seconds(value: Expiring, now: float) -> float:
    """Return for how many seconds another process may use a copy before it fetches again; the owner renews ahead of need."""
    ahead = renewal_time(value, 1.0) - now
    return ahead if ahead > 0 else min(1.0, value.expire_time - now - _margin(value))


def _margin(value: Expiring) -> float:
    return min(MARGIN_SECONDS, value.life * _MARGIN_SHARE)
