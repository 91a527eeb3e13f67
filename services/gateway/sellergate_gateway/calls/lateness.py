"""The lateness of the event loop. Calls stop waiting for Amazon earlier by that much, so that they report in time."""

from sellergate_common.clock import Clock

PERIOD_SECONDS = 0.1
# A late callback suggests that others follow; its weight halves within about a second.
_FADING = 0.93


class Lateness:
    """The lateness of an event loop in seconds: that of the latest callback, decaying since."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.seconds = 0.0

    async def measure(self) -> None:
        """Measure until cancelled."""
        while True:
            due = self._clock.monotonic() + PERIOD_SECONDS
            await self._clock.sleep(PERIOD_SECONDS)
            self.seconds = max(self._clock.monotonic() - due, self.seconds * _FADING)
