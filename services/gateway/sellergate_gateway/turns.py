"""Waiting for a reserved slot; a rate that is learned meanwhile moves the slots of all who wait in this process."""

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass, field

from sellergate_gateway.ports import Admission


@dataclass(slots=True, eq=False)
class _Turn:
    """Somebody who waits. `at` and `latest` are in seconds of the monotonic clock."""

    at: float
    latest: float
    rate: float
    moved: asyncio.Event = field(default_factory=asyncio.Event)


class Turns:
    """Those who wait, by bucket. What they owe is scaled as the bucket's debt is, so their order stays."""

    def __init__(self) -> None:
        self._waiting: dict[str, set[_Turn]] = {}

    async def wait(self, key: str, admission: Admission, longest: float) -> float:
        """Wait for the slot, `longest` seconds at most; return the seconds waited."""
        started = time.monotonic()
        turn = _Turn(started + admission.wait, started + longest, admission.rate)
        waiting = self._waiting.setdefault(key, set())
        waiting.add(turn)
        try:
            while (left := min(turn.at, turn.latest) - time.monotonic()) > 0:
                turn.moved.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(left):
                        await turn.moved.wait()
        finally:
            waiting.discard(turn)
            if not waiting:
                self._waiting.pop(key, None)
        return time.monotonic() - started

    def learned(self, key: str, rate: float) -> None:
        """Move the slots of all who wait: at ten times the rate, a tenth of the time is left."""
        now = time.monotonic()
        for turn in self._waiting.get(key, ()):
            turn.at = now + (turn.at - now) * turn.rate / rate
            turn.rate = rate
            turn.moved.set()
