"""Waiters for slots. A changed rate or a cancelled slot reschedules later waiters, in every replica."""

import asyncio
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from sellergate_gateway.quota.gcra import refuse
from sellergate_gateway.quota.ports import Reschedule, Slot


@dataclass(slots=True, eq=False)
class _Waiter:
    """A waiting caller. `at` are the times of its slots, `latest` is the time of its refusal, in monotonic seconds.

    `numbers` are those of its slots.
    """

    at: dict[str, float]
    numbers: dict[str, int]
    latest: float
    rescheduled: asyncio.Event = field(default_factory=asyncio.Event)


class WaitQueue:
    """Callers waiting for a slot, by bucket. A rate change rescales their remaining waits, so that their order is preserved.

    `now` is monotonic, in seconds; `replica` is this process's own id. The queue listens to `quota:moves`, on which replicas
    publish reschedules.
    """

    def __init__(self, now: Callable[[], float], replica: str) -> None:
        self._now = now
        self._waiting: dict[str, set[_Waiter]] = {}
        self._own = replica

    async def wait(self, slots: Sequence[Slot], longest: float) -> float:
        """Wait until all slots may be used. Return the seconds waited.

        Raises QuotaExceeded if a slot moves beyond the longest wait.
        """
        started = self._now()
        waiter = _Waiter(
            {slot.bucket.key: started + slot.wait for slot in slots},
            {slot.bucket.key: slot.number for slot in slots},
            started + longest,
        )
        for key in waiter.at:
            self._waiting.setdefault(key, set()).add(waiter)
        try:
            while (left := max(waiter.at.values()) - self._now()) > 0:
                if self._now() + left > waiter.latest:
                    raise refuse(left, longest)
                waiter.rescheduled.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(left):
                        await waiter.rescheduled.wait()
        finally:
            for key in waiter.at:
                self._waiting[key].discard(waiter)
                if not self._waiting[key]:
                    del self._waiting[key]
        return self._now() - started

    def reschedule(self, keys: Sequence[str], change: Reschedule) -> None:
        """Reschedule waiting callers: at ten times the rate, a tenth of the time remains."""
        now = self._now()
        for key in keys:
            for waiter in self._waiting.get(key, ()):
                left = max(0.0, waiter.at[key] - now)
                times = 1 if change.after is None else sum(number < waiter.numbers[key] for number in change.after)
                waiter.at[key] = now + max(0.0, left * change.factor + change.shift * times)
                waiter.rescheduled.set()

    def message(self, keys: Sequence[str], change: Reschedule) -> str:
        """Return the message that publishes a change to the other replicas."""
        after = () if change.after is None else (list(change.after),)
        return json.dumps([self._own, list(keys), change.factor, change.shift, *after])

    def forget(self, message: str) -> None:
        """Apply a change that another replica published."""
        try:
            sender, keys, factor, shift, *rest = json.loads(message)
            after = tuple(map(int, rest[0])) if rest else None
            names, change = tuple(map(str, keys)), Reschedule(float(factor), float(shift), after)
        except (ValueError, TypeError, OverflowError, RecursionError):  # a message in another release's form
            return
        if sender != self._own:
            self.reschedule(names, change)

    def forget_all(self) -> None:
        """Do nothing, since nothing is cached that could be stale."""

    def mark_stale(self) -> None:
        """Do nothing, since a missed message costs at most a 429, whose own message follows."""
