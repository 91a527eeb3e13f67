"""A replica of a service that keeps entries in Redis, without the service around it."""

import asyncio
import base64
import json
import os
import random
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from pydantic import SecretStr
from redis.asyncio import Redis
from sellergate_common.cache.entries import Lookup
from sellergate_common.cache.invalidation import InvalidationFeed
from sellergate_common.cache.redis_entries import Admit, AlwaysAdmitted, RedisEntries
from sellergate_common.cache.sealed import SealedCache
from sellergate_common.cache.store import Codec, EntryStore
from sellergate_common.clock import SYSTEM_CLOCK, Clock
from sellergate_common.crypto.sealing import KeyRing
from sellergate_common.flights.lease import LeaseNotifier
from sellergate_common.flights.single_flight import SingleFlight
from sellergate_common.redis_client import open_redis

RING = KeyRing.parse(f"k1 {base64.urlsafe_b64encode(os.urandom(64)).decode()}")


@dataclass(frozen=True)
class Value:
    text: str
    expire_time: float
    life: float


class Source:
    """The source of fetched values, with the number of fetches."""

    def __init__(self, life: float = 60.0, seconds: float = 0.0) -> None:
        self.life, self.seconds, self.fetched = life, seconds, 0
        self.error: Exception | None = None

    async def fetch(self) -> Value:
        self.fetched += 1
        number = self.fetched
        await asyncio.sleep(self.seconds)
        if self.error:
            raise self.error
        return Value(f"value {number}", time.time() + self.life, self.life)


class Replica:
    def __init__(self, redis: Redis, prefix: str, admit: Admit = AlwaysAdmitted, clock: Clock = SYSTEM_CLOCK) -> None:
        self.redis = redis
        self.changes = InvalidationFeed(redis)
        codec: Codec[str, Value] = Codec(
            name=lambda key: f"{prefix}{{{key}}}",
            subject=lambda key: key,
            encode=lambda value: json.dumps([value.text, value.expire_time, value.life]),
            decode=lambda text: Value(*json.loads(text)),
            mark=lambda value: value.text,
        )
        self.store = EntryStore(
            SealedCache(redis, RING, prefix, prefix + "changes"), codec, "test", clock, random.random
        )
        flight: SingleFlight[Lookup[Value]] = SingleFlight(
            redis, LeaseNotifier(redis, self.changes, time.monotonic), prefix + "done"
        )
        self.entries = RedisEntries(self.store, flight, admit)

    async def get(self, source: Source, least: float | None = None, key: str = "a") -> Value:
        return (await self.entries.obtain(key, least, source.fetch)).value


Replicas = Callable[[str, int], Awaitable[list[Replica]]]


@asynccontextmanager
async def open_replicas() -> AsyncIterator[Replicas]:
    """Yield a function that opens replicas of one prefix, which follow its changes until the end of the context."""
    async with AsyncExitStack() as stack:

        async def make(url: str, count: int, prefix: str = "") -> list[Replica]:
            prefix = prefix or f"test{secrets.token_hex(4)}:"
            made = []
            for _ in range(count):
                replica = Replica(await stack.enter_async_context(open_redis(SecretStr(url))), prefix)
                await stack.enter_async_context(replica.changes.subscribe(replica.entries.listeners))
                made.append(replica)
            return made

        yield make
