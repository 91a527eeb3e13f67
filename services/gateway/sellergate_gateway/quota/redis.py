"""Buckets in the shared Redis: one script for all buckets of a call, and one run of it for all calls of the moment.

Raises what redis-py raises while Redis is gone.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from redis.asyncio import Redis
from sellergate_common.redis_client import UNREACHABLE

from sellergate_gateway.quota.gcra import Admitted, Moved, refuse, state_of
from sellergate_gateway.quota.ports import Bucket, BucketState, RateSource

# A run is short, for Redis does nothing else meanwhile.
MOST_AT_ONCE = 128
_REFUSED, _TAKEN, _GATE = 0, 1, 2
_SOURCES = (RateSource.CATALOGUE, RateSource.HEADER, RateSource.BACKOFF)


@dataclass(slots=True)
class _Check:
    """One call that wants slots. Those of one application gather until its next run."""

    buckets: Sequence[Bucket]
    longest: float
    answer: "asyncio.Future[list[Any]]"


class RedisBuckets:
    """Shared by all replicas."""

    def __init__(self, redis: Redis) -> None:
        self._script = redis.register_script(files("sellergate_gateway.quota").joinpath("gcra.lua").read_text("utf-8"))
        self._waiting: dict[str, list[_Check]] = {}
        self._runners: set[asyncio.Task[None]] = set()

    async def admit(self, buckets: Sequence[Bucket], longest: float) -> Admitted:
        """Take one slot in every bucket. Raises QuotaExceeded."""
        # One application's buckets lie in one slot of a cluster, which is what a script may touch.
        application = buckets[0].key.partition("}")[0]
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
        return _read(await check.answer, buckets, longest)

    async def leave(self, admitted: Admitted) -> None:
        """Give back what is the newest."""
        await self._script([bucket.key for bucket in admitted.buckets], ["leave", *map(str, admitted.taken)])

    async def learn(self, buckets: Sequence[Bucket], rate: float) -> None:
        """Believe the rate that Amazon told."""
        await self._script([bucket.key for bucket in buckets], ["learn", *(repr(rate * b.share) for b in buckets)])

    async def throttled(self, bucket: Bucket, seconds: float) -> Moved:
        """Take note of a 429."""
        arguments = ["throttled", repr(bucket.rate), str(bucket.burst), f"{seconds:.6f}"]
        before, now, shift = map(float, await self._script([bucket.key], arguments))
        return Moved(before / now, shift)

    async def state(self, bucket: Bucket) -> BucketState:
        """Return what is in a bucket now."""
        rate, wait, debt, source = await self._script([bucket.key], ["state", repr(bucket.rate), bucket.burst])
        return state_of(bucket, float(rate), float(wait), float(debt), _SOURCES[int(source)])

    async def _run_all(self, application: str) -> None:
        """Run the script as long as somebody waits."""
        try:
            while self._waiting[application]:
                waiting = self._waiting[application]
                checks, self._waiting[application] = waiting[:MOST_AT_ONCE], waiting[MOST_AT_ONCE:]
                # Whoever has gone by now takes nothing.
                await self._answer([check for check in checks if not check.answer.done()])
        finally:
            for check in self._waiting.pop(application):
                check.answer.cancel()

    async def _answer(self, checks: Sequence[_Check]) -> None:
        try:
            answers = await self._run(checks) if checks else []
        except BaseException as error:
            for check in checks:
                if not check.answer.done():
                    check.answer.set_exception(error)
            if not isinstance(error, Exception):
                raise
            return
        for check, answer in zip(checks, answers, strict=True):
            if not check.answer.done():
                check.answer.set_result(answer)
            elif int(answer[0]) != _REFUSED:
                with suppress(*UNREACHABLE):
                    await self.leave(_read(answer, check.buckets, check.longest))

    async def _run(self, checks: Sequence[_Check]) -> list[list[Any]]:
        keys, arguments = list[str](), list[Any](["admit"])
        for check in checks:
            buckets = check.buckets
            arguments += (f"{check.longest:.6f}", int(buckets[-1].gate), len(buckets))
            for bucket in buckets:
                keys.append(bucket.key)
                arguments += (repr(bucket.rate), bucket.burst)
        answers: list[list[Any]] = await self._script(keys, arguments)
        return answers


def _read(answer: list[Any], buckets: Sequence[Bucket], longest: float) -> Admitted:
    """Read what the script says of one call. Raises QuotaExceeded."""
    how, wait, rate, *taken = answer
    if int(how) == _REFUSED:
        raise refuse(float(wait), longest)
    gated = int(how) == _GATE
    held = tuple(buckets[-1:] if gated else buckets)
    return Admitted(float(wait), float(rate), held, tuple(map(str, taken)), tuple(buckets[:-1]) if gated else ())
