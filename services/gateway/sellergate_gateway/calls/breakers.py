"""A circuit breaker for each of Amazon's hosts: while one is down, calls fail at once, and single probes find its return.

Only what tells of the host itself counts: connections that fail or break, answers that did not come in a long time, and error pages
of what stands before SP-API. An error that SP-API writes is an answer.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from sellergate_common.errors import Reason, Unavailable

WINDOW_SECONDS = 10.0
LEAST_CALLS, FAILING_SHARE = 20, 0.8
FIRST_PAUSE, LONGEST_PAUSE = 2.0, 30.0
# A probe that nobody ended is over after this long.
PROBE_SECONDS = 15.0


@dataclass(slots=True)
class _Host:
    """`opened_until`: 0 while it is closed; `probing_until`: 0 while nobody probes. Seconds of the clock."""

    since: float = 0.0
    calls: int = 0
    failures: int = 0
    opened_until: float = 0.0
    probing_until: float = 0.0
    pause: float = field(default=FIRST_PAUSE)


class Breakers:
    """By base URL. `now` is the monotonic clock."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._hosts: dict[str, _Host] = {}

    def check(self, host: str) -> None:
        """Raise Unavailable while a host is known to be down and it is not yet time to probe it."""
        known = self._hosts.get(host)
        if known is not None and known.opened_until and max(known.opened_until, known.probing_until) > self._now():
            raise self._refusal(known)

    def enter(self, host: str) -> None:
        """Begin a call. Raises Unavailable while the host is down, unless this call is the probe."""
        known = self._hosts.get(host)
        if known is not None and known.opened_until:
            self.check(host)
            known.probing_until = self._now() + PROBE_SECONDS

    def ended(self, host: str, *, failed: bool) -> None:
        """Note how a call ended."""
        now, known = self._now(), self._hosts.get(host)
        if known is None:
            if not failed:
                return
            known = self._hosts[host] = _Host(since=now)
        if known.opened_until:
            self._probed(known, now, failed=failed)
            return
        if now - known.since > WINDOW_SECONDS:
            known.since, known.calls, known.failures = now, 0, 0
        known.calls += 1
        known.failures += failed
        if known.calls >= LEAST_CALLS and known.failures >= known.calls * FAILING_SHARE:
            known.opened_until = now + known.pause
        elif not failed and known.failures == 0:
            del self._hosts[host]

    def state(self) -> dict[str, bool]:
        """Return the hosts in trouble, and whether they are taken for down."""
        return {host: bool(known.opened_until) for host, known in self._hosts.items()}

    def _probed(self, known: _Host, now: float, *, failed: bool) -> None:
        if not failed:
            known.opened_until = known.probing_until = 0.0
            known.since, known.calls, known.failures, known.pause = now, 0, 0, FIRST_PAUSE
        elif known.probing_until:
            known.pause = min(LONGEST_PAUSE, known.pause * 2)
            known.opened_until, known.probing_until = now + known.pause, 0.0

    def _refusal(self, known: _Host) -> Unavailable:
        seconds = max(0.1, max(known.opened_until, known.probing_until) - self._now())
        return Unavailable(
            "Amazon's host does not answer, and is asked again soon; nothing was sent. Try again later.",
            reason=Reason.AMAZON_UNAVAILABLE,
            retry_after=min(seconds, LONGEST_PAUSE),
        )
