"""The pauses between the attempts of one transfer: exponential, with jitter, within the caller's deadline.

A new byte is progress and restarts the series, since a store may serve one part at a time.
"""

from collections.abc import Callable
from dataclasses import dataclass

from sellergate_common.clock import Clock

FIRST_SECONDS, LONGEST_SECONDS = 0.1, 8.0
# Seconds without progress after which a transfer fails, even if the caller's deadline is an hour away.
GIVE_UP_SECONDS = 60.0
# Seconds of the deadline that remain for the report of a failure.
RESERVE_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class TransferTime:
    """The clock of transfers. `left` returns the seconds until the caller's deadline, `jitter` a random number in [0, 1)."""

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
        """Reset the failures."""
        self._failures = 0

    async def wait(self, at_least: float = 0.0) -> bool:
        """Wait at least `at_least` seconds before the next attempt. Return False if there is no time for one."""
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
