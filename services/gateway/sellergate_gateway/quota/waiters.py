"""Waiting for a reserved slot; a rate that changes meanwhile moves the slots of all who wait, in every replica."""

import asyncio
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from sellergate_gateway.quota.gcra import Moved, refuse


@dataclass(slots=True, eq=False)
class _Turn:
    """Somebody who waits. `at` and `latest` are in seconds of the monotonic clock."""

    at: float
    latest: float
    moved: asyncio.Event = field(default_factory=asyncio.Event)


class Turns:
    """Those who wait, by bucket. What they owe is scaled and put back as the bucket's debt is, so their order stays.

    `now` is monotonic; `replica` is this process's own id. It listens to `quota:moves`: what other replicas announce of a
    bucket moves the callers that wait here.
    """

    def __init__(self, now: Callable[[], float], replica: str) -> None:
        self._now = now
        self._waiting: dict[str, set[_Turn]] = {}
        self._own = replica

    async def wait(self, key: str, seconds: float, longest: float) -> float:
        """Wait for the slot and return the seconds waited. Raises QuotaExceeded when it moves behind the longest wait."""
        started = self._now()
        turn = _Turn(started + seconds, started + longest)
        waiting = self._waiting.setdefault(key, set())
        waiting.add(turn)
        try:
            while (left := turn.at - self._now()) > 0:
                if turn.at > turn.latest:
                    raise refuse(left, longest)
                turn.moved.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(left):
                        await turn.moved.wait()
        finally:
            waiting.discard(turn)
            if not waiting and self._waiting.get(key) is waiting:
                del self._waiting[key]
        return self._now() - started

    def move(self, keys: Sequence[str], moved: Moved) -> None:
        """Move the slots of all who wait: at ten times the rate, a tenth of the time is left."""
        now = self._now()
        for key in keys:
            for turn in self._waiting.get(key, ()):
                turn.at = now + max(0.0, turn.at - now) * moved.factor + moved.shift
                turn.moved.set()

    def message(self, keys: Sequence[str], moved: Moved) -> str:
        """Return what tells the other replicas of it."""
        return json.dumps([self._own, list(keys), moved.factor, moved.shift])

    def forget(self, message: str) -> None:
        """Hear what another replica tells."""
        try:
            teller, keys, factor, shift = json.loads(message)
            names, moved = tuple(keys), Moved(float(factor), float(shift))
        except (ValueError, TypeError):  # another version's shape
            return
        if teller != self._own:
            self.move(names, moved)

    def forget_all(self) -> None:
        """Do nothing: nothing is held that could be forgotten."""

    def doubt_all(self) -> None:
        """Do nothing: what was not heard costs a 429, which is heard."""
