"""End leases while their renewal is in progress, at every step of the renewal, on a real Redis.

Run as a program (`python -m tests.integration.lease_ends URL COUNT`) it does so on the Python that runs it, which needs only
the packages of `sellergate_common`.
"""

import asyncio
import sys
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, cast

from pydantic import SecretStr
from redis.asyncio import Redis
from sellergate_common.flights.lease import acquire, hold_lease, lease_keys
from sellergate_common.redis_client import open_redis

CHANNEL = "test:done"
# Renewed every 10 ms, and long enough not to expire meanwhile: a lease that no longer exists was released.
RENEWAL_SECONDS, LEASE_SECONDS = 0.01, 60.0
# A renewal is over within this many turns of the event loop; each lease is ended at another one.
_TURNS = 40
_AT_ONCE = 20


@dataclass
class Watched:
    """A client of Redis that reports the beginning of each renewal."""

    redis: Redis
    renewing: asyncio.Event = field(default_factory=asyncio.Event)

    async def eval(self, script: str, *arguments: Any) -> Any:
        """Run a script."""
        if "PEXPIRE" in script:
            self.renewing.set()
            arguments = (*arguments[:-1], int(LEASE_SECONDS * 1000))
        return await self.redis.eval(script, *arguments)


async def end_leases(redis: Redis, prefix: str, count: int) -> None:
    """End this number of leases, half of them by a cancellation. Raises AssertionError if a lease stays or its renewal goes on."""
    before = asyncio.all_tasks()
    numbers = iter(range(count))

    async def worker() -> None:
        for number in numbers:
            await _end_one(redis, f"{prefix}{{{number}}}", number)

    await asyncio.gather(*(worker() for _ in range(_AT_ONCE)))
    while left := [task for task in asyncio.all_tasks() - before if not task.done()]:
        await asyncio.wait(left)
    keys = [lease_keys(f"{prefix}{{{number}}}")[0] for number in range(count)]
    assert sum([await redis.exists(*keys[at : at + 500]) for at in range(0, count, 500)]) == 0


async def _end_one(redis: Redis, key: str, number: int) -> None:
    watched = Watched(redis)
    lease = await acquire(redis, key, LEASE_SECONDS)
    assert lease is not None

    async def hold() -> None:
        async with hold_lease(cast("Redis", watched), key, lease, CHANNEL, RENEWAL_SECONDS * 3):
            await asyncio.Event().wait()

    async def leave() -> None:
        async with hold_lease(cast("Redis", watched), key, lease, CHANNEL, RENEWAL_SECONDS * 3):
            await _at_turn(watched, number)

    if number % 2:
        await leave()
        return
    holding = asyncio.create_task(hold())
    await _at_turn(watched, number)
    holding.cancel()
    await asyncio.wait({holding})
    assert holding.cancelled()


async def _at_turn(watched: Watched, number: int) -> None:
    await watched.renewing.wait()
    for _ in range(number // 2 % _TURNS):
        await asyncio.sleep(0)


async def _main(url: str, count: int) -> None:
    async with open_redis(SecretStr(url)) as redis:
        await end_leases(redis, f"ends{sys.version_info.minor}:", count)
    print(f"{count} leases ended on Python {sys.version.split()[0]}")


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run on uvloop, as the services do, where it is installed."""
    try:
        import uvloop
    except ImportError:
        asyncio.run(main)
    else:
        uvloop.run(main)


if __name__ == "__main__":
    run(_main(sys.argv[1], int(sys.argv[2])))
