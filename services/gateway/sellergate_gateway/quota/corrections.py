"""Corrections of reserved slots: cancellations, and calls that were sent late."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress

from sellergate_gateway.quota.ports import Bucket, Reschedule, Reservation, SlotStore
from sellergate_gateway.quota.waiters import WaitQueue

# Lateness below this share of an interval is within the guard of a bucket.
_NOTABLE = 0.005
Publish = Callable[[str], Awaitable[object]]


class Corrections:
    """Corrections of buckets, gathered while one is in progress: 300 cancelled callers take a few commands.

    `publish` sends a message to the other replicas; None: there are none. `unavailable` are the errors of a store or channel that
    is unavailable: then slots return with time, and Amazon's 429s replace the messages.
    """

    def __init__(
        self,
        waiters: WaitQueue,
        publish: Publish | None = None,
        unavailable: tuple[type[Exception], ...] = (),
    ) -> None:
        self._waiters = waiters
        self._publish = publish
        self._unavailable = unavailable
        self._tasks: set[asyncio.Task[None]] = set()
        self._cancelled: dict[SlotStore, dict[Bucket, list[int]]] = {}
        self._running = False

    def cancel(self, reservations: Sequence[Reservation]) -> None:
        """Cancel slots, in a separate task, because the caller may be cancelled already."""
        for reservation in reservations:
            buckets = self._cancelled.setdefault(reservation.store, {})
            for slot in reservation.slots:
                buckets.setdefault(slot.bucket, []).append(slot.number)
        if self._cancelled and not self._running:
            self._running = True
            self._start(self._return_all())

    def delay(self, reservations: Sequence[Reservation], late: float) -> None:
        """Count a call as sent `late` seconds after its slots, in buckets without a second slot that compensates for it."""
        for reservation in reservations:
            for slot in reservation.slots:
                bucket = slot.bucket
                if bucket.burst == 1 and late > _NOTABLE / bucket.rate:
                    self._start(self._delay(reservation.store, bucket, late))

    async def announce(self, keys: Sequence[str], change: Reschedule) -> None:
        """Reschedule waiting callers, here and in the other replicas."""
        self._waiters.reschedule(keys, change)
        if change and self._publish is not None:
            with suppress(*self._unavailable):
                await self._publish(self._waiters.message(keys, change))

    def _start(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _return_all(self) -> None:
        try:
            while self._cancelled:
                cancelled, self._cancelled = self._cancelled, {}
                for store, buckets in cancelled.items():
                    await self._return(store, buckets)
        finally:
            self._running = False

    async def _return(self, store: SlotStore, buckets: dict[Bucket, list[int]]) -> None:
        try:
            sooner = await store.cancel([(bucket, len(numbers)) for bucket, numbers in buckets.items()])
        except self._unavailable:
            return
        for (bucket, numbers), seconds in zip(buckets.items(), sooner, strict=True):
            await self.announce([bucket.key], Reschedule(shift=-seconds, after=tuple(numbers)))

    async def _delay(self, store: SlotStore, bucket: Bucket, late: float) -> None:
        try:
            await store.delay(bucket, late)
        except self._unavailable:
            return
        await self.announce([bucket.key], Reschedule(shift=late))
