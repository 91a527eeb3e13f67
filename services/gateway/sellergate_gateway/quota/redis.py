"""Buckets in the shared Redis: one script for all buckets of a call, and one run of it for all simultaneous calls.

Methods raise what redis-py raises while Redis is unavailable.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from redis.asyncio import Redis
from sellergate_common.cache.lru import Lru
from sellergate_common.redis_client import UNREACHABLE

from sellergate_gateway.quota.gcra import refuse, state_of
from sellergate_gateway.quota.ports import (
    Bucket,
    BucketSet,
    BucketState,
    RateSource,
    Reschedule,
    Reservation,
    Slot,
)

# The most calls of a run, which must be short because Redis does nothing else meanwhile.
MOST_AT_ONCE = 128
# The most buckets whose state this process keeps, for a Redis that restarts empty.
_MAX_KNOWN = 50_000
_REFUSED, _RESERVED, _FIRST_STAGE = 0, 1, 2
_SOURCES = (RateSource.CATALOGUE, RateSource.HEADER, RateSource.BACKOFF)


@dataclass(slots=True)
class _Check:
    """A call that needs slots. The checks of one application gather until its next run."""

    buckets: BucketSet
    longest: float
    response: "asyncio.Future[list[Any]]"


class RedisBuckets:
    """Buckets shared by all replicas."""

    def __init__(self, redis: Redis) -> None:
        self._script = redis.register_script(files("sellergate_gateway.quota").joinpath("gcra.lua").read_text("utf-8"))
        self._waiting: dict[str, list[_Check]] = {}
        self._runners: set[asyncio.Task[None]] = set()
        self._known: Lru[str, bytes | str] = Lru(_MAX_KNOWN)

    async def reserve(self, buckets: BucketSet, longest: float) -> Reservation:
        """Reserve a slot in every bucket. Raises QuotaExceeded."""
        # One application's buckets are in one slot of a cluster, since a script may use only one.
        application = buckets.primary.key.partition("}")[0]
        loop = asyncio.get_running_loop()
        check = _Check(buckets, longest, loop.create_future())
        waiting = self._waiting.get(application)
        if waiting is None:
            self._waiting[application] = [check]
            runner = loop.create_task(self._run_all(application))
            self._runners.add(runner)
            runner.add_done_callback(self._runners.discard)
        else:
            waiting.append(check)
        return self._reservation(await check.response, buckets, longest)

    async def cancel(self, buckets: Sequence[tuple[Bucket, int]]) -> Sequence[float]:
        """Cancel the given number of slots in each bucket. Return the seconds by which later slots of each move forward."""
        sooner = list[float]()
        for bucket, count in buckets:  # they may belong to several applications
            (interval,) = await self._script([bucket.key], ["cancel", count])
            sooner.append(float(interval))
        return sooner

    async def delay(self, bucket: Bucket, seconds: float) -> None:
        """Count the newest call of each bucket as sent the given seconds after its slot."""
        await self._script([bucket.key], ["delay", f"{seconds:.6f}"])

    async def update_rate(self, buckets: Sequence[Bucket], rate: float) -> Reschedule:
        """Apply Amazon's reported rate, in each bucket its share."""
        arguments = list[Any](["rate"])
        for bucket in buckets:
            arguments += (repr(bucket.rate), bucket.burst, repr(rate * bucket.share))
        before, now = await self._script([bucket.key for bucket in buckets], arguments)
        return Reschedule(float(before) / float(now))

    async def on_throttled(self, bucket: Bucket, seconds: float) -> Reschedule:
        """Record a 429."""
        arguments = ["throttled", repr(bucket.rate), str(bucket.burst), f"{seconds:.6f}"]
        before, now, shift = map(float, await self._script([bucket.key], arguments))
        return Reschedule(before / now, shift)

    async def peek(self, bucket: Bucket) -> BucketState:
        """Return the present state of a bucket."""
        rate, wait, debt, source = await self._script([bucket.key], ["peek", repr(bucket.rate), bucket.burst])
        return state_of(bucket, float(rate), float(wait), float(debt), _SOURCES[int(source)])

    async def _run_all(self, application: str) -> None:
        """Run the script while callers wait for it."""
        try:
            while self._waiting[application]:
                waiting = self._waiting[application]
                checks, self._waiting[application] = waiting[:MOST_AT_ONCE], waiting[MOST_AT_ONCE:]
                # A caller that was cancelled meanwhile reserves nothing.
                await self._deliver([check for check in checks if not check.response.done()])
        finally:
            for check in self._waiting.pop(application):
                check.response.cancel()

    async def _deliver(self, checks: Sequence[_Check]) -> None:
        try:
            responses = await self._run(checks) if checks else []
        except BaseException as error:
            for check in checks:
                if not check.response.done():
                    check.response.set_exception(error)
            if not isinstance(error, Exception):
                raise
            return
        for check, response in zip(checks, responses, strict=True):
            if not check.response.done():
                check.response.set_result(response)
            elif int(response[0]) != _REFUSED:
                with suppress(*UNREACHABLE):
                    slots = self._reservation(response, check.buckets, check.longest).slots
                    await self.cancel([(slot.bucket, 1) for slot in slots])

    async def _run(self, checks: Sequence[_Check]) -> list[list[Any]]:
        keys, arguments, known = list[str](), list[Any](["reserve"]), self._known.peek
        for check in checks:
            buckets = check.buckets
            arguments += (f"{check.longest:.6f}", int(buckets.first_stage is not None), len(buckets.all))
            for bucket in buckets.all:
                keys.append(bucket.key)
                arguments += (repr(bucket.rate), bucket.burst, known(bucket.key) or "")
        responses: list[list[Any]] = await self._script(keys, arguments)
        return responses

    def _reservation(self, response: list[Any], buckets: BucketSet, longest: float) -> Reservation:
        """Return the reservation in the script's response for one call. Raises QuotaExceeded."""
        outcome, wait_or_rate, *slots = response
        if int(outcome) == _REFUSED:
            raise refuse(float(wait_or_rate), longest)
        staged = int(outcome) == _FIRST_STAGE
        reserved = buckets.all[-1:] if staged else buckets.all
        found = list[Slot]()
        for bucket, wait, number, tat in zip(reserved, slots[::3], slots[1::3], slots[2::3], strict=True):
            found.append(Slot(bucket, float(wait), int(number)))
            self._known.put(bucket.key, tat)
        return Reservation(self, tuple(found), float(wait_or_rate), buckets.without_first_stage() if staged else None)
