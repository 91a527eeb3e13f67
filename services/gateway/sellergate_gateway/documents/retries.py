"""The pauses between the attempts of one transfer: exponential, with jitter, within the caller's deadline.

A byte that was not there before is progress and starts the series again, since a store may serve one part at a time.
"""

from collections.abc import Callable
from dataclasses import dataclass

from sellergate_common.clock import Clock

FIRST_SECONDS, LONGEST_SECONDS = 0.1, 8.0
# So long without progress ends a transfer, even where the caller gave it an hour.
GIVE_UP_SECONDS = 60.0
# What is left of the deadline to report a failure with its cause.
RESERVE_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class TransferTime:
    """The time of transfers. `left` returns the seconds until the caller's deadline, `jitter` a number in [0, 1)."""

    clock: Clock
    left: Callable[[], float]
    jitter: Callable[[], float]


class Retries:
    """The failures in a row of one transfer."""

    def __init__(self, time: TransferTime, give_up_seconds: float = GIVE_UP_SECONDS) -> None:
        self._time = time
        self._give_up_seconds = give_up_seconds
        self._failures = 0
        self._since = 0.0

    def record_progress(self) -> None:
        """Forget the failures."""
        self._failures = 0

    async def wait(self, at_least: float = 0.0) -> bool:
        """Wait before the next attempt, `at_least` so many seconds; return False when there is no time for one."""
        now = self._time.clock.monotonic()
        if not self._failures:
            self._since = now
        longest = min(LONGEST_SECONDS, FIRST_SECONDS * 2 ** min(self._failures, 16))
        pause = max(at_least, longest * (0.5 + self._time.jitter() / 2))
        self._failures += 1
        over = now - self._since + pause
        if over > self._give_up_seconds or pause + RESERVE_SECONDS > self._time.left():
            return False
        await self._time.clock.sleep(pause)
        return True
