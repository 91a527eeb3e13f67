"""`entries` in the shared Redis: sealed values, single flight by lease, and word to others when one is dropped."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import SecretStr
from redis.asyncio import Redis

from sellergate_common.cache import SealedCache
from sellergate_common.flight import SingleFlight

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class Codec(Generic[_Key, _Value]):
    """How keys and values are written: the name in Redis, the account to announce, the text, its mark, its seconds of life."""

    name: Callable[[_Key], str]
    account_id: Callable[[_Key], str]
    encode: Callable[[_Value], str]
    decode: Callable[[str], _Value]
    mark: Callable[[_Value], Any]
    life: Callable[[_Value], float]


class RedisEntries(Generic[_Key, _Value]):
    """Entries of one prefix."""

    def __init__(self, redis: Redis, cache: SealedCache, codec: Codec[_Key, _Value]) -> None:
        self._cache = cache
        self._codec = codec
        self._flights: SingleFlight[_Value] = SingleFlight(redis)

    async def get(self, key: _Key) -> _Value | None:
        """Return the entry."""
        opened = await self._cache.get(self._codec.name(key))
        return self._codec.decode(opened.get_secret_value()) if opened else None

    async def put(self, key: _Key, value: _Value) -> None:
        """Keep a value until it expires."""
        await self._cache.put(self._codec.name(key), SecretStr(self._codec.encode(value)), self._codec.life(value))

    async def drop_if(self, key: _Key, mark: Any) -> bool:
        """Drop the entry if its value has this mark, and announce it."""
        codec = self._codec
        dropped = await self._cache.drop_if(
            codec.name(key), lambda opened: codec.mark(codec.decode(opened.get_secret_value())) == mark
        )
        if dropped:
            await self._cache.announce(codec.account_id(key))
        return dropped

    async def drop(self, key: _Key) -> bool:
        """Drop the entry, and announce it."""
        dropped = await self._cache.drop(self._codec.name(key))
        await self._cache.announce(self._codec.account_id(key))
        return dropped

    async def clear(self) -> int:
        """Drop all entries. Raises Unavailable."""
        return await self._cache.clear()

    async def count(self) -> int:
        """Return how many entries there are. Raises Unavailable."""
        return await self._cache.count()

    async def once(
        self, key: _Key, look: Callable[[], Awaitable[_Value | None]], fetch: Callable[[], Awaitable[_Value]]
    ) -> _Value:
        """Return what is found, or what is fetched once for all who ask at the time."""
        return await self._flights.get(self._codec.name(key), look, fetch)

    @property
    def shared_waits(self) -> int:
        """Return how many waited for another's fetch."""
        return self._flights.counts.shared
