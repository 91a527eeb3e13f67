"""Circuit breakers for Amazon's hosts. While a host is down, calls fail at once, and single probes detect its recovery.

A refused connection is the host's own fault. A broken connection, a very late response and an error page may be caused by a
user's request: they stop the calls of that user, and those of all users only if several users get them. An error that SP-API
writes is a response.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto

from sellergate_common.cache.lru import Lru
from sellergate_common.errors import Reason, Unavailable

WINDOW_SECONDS = 10.0
LEAST_CALLS, FAILING_SHARE = 20, 0.8
FAILURES_OF_A_USER = 5
"""The most failures in a window that one user's requests can add to a host's; four users open a host's circuit."""
FIRST_PAUSE, LONGEST_PAUSE = 2.0, 30.0
# Seconds after which a probe without a reported end no longer counts.
PROBE_SECONDS = 15.0
MOST_USERS = 10_000


class End(Enum):
    """The end of a call, by what it shows about the host."""

    RESPONSE = auto()
    """SP-API wrote a response."""
    BROKEN = auto()
    """No response of SP-API came; the request itself may be the cause."""
    UNREACHABLE = auto()
    """No connection could be made."""
    UNKNOWN = auto()
    """The caller disconnected or gave too little time, or this machine is at fault."""


@dataclass(slots=True)
class _Circuit:
    """One circuit. `opened_until`: 0 while it is closed; `probing_until`: 0 while no call probes; in seconds of the clock."""

    since: float = 0.0
    calls: int = 0
    failures: int = 0
    failures_of: dict[str, int] = field(default_factory=dict)
    opened_until: float = 0.0
    probing_until: float = 0.0
    prober: str = ""
    pause: float = FIRST_PAUSE

    def waits_until(self) -> float:
        """Return the time from which a call may be made; 0 while the circuit is closed."""
        return max(self.opened_until, self.probing_until) if self.opened_until else 0.0

    def enter(self, now: float, user: str) -> None:
        """Make a call the probe of an open circuit."""
        if self.opened_until:
            self.probing_until, self.prober = now + PROBE_SECONDS, user

    def is_probed_by(self, user: str) -> bool:
        """Return whether a call of this user is the probe."""
        return bool(self.probing_until) and self.prober == user

    def count(self, now: float, *, failed: bool, user: str | None = None) -> None:
        """Count a call. Open the circuit at a failure if most of the window's calls failed; of one `user`, few failures count."""
        if now - self.since > WINDOW_SECONDS:
            self.since, self.calls, self.failures = now, 0, 0
            self.failures_of.clear()
        if failed and user is not None:
            if self.failures_of.get(user, 0) >= FAILURES_OF_A_USER:
                return
            self.failures_of[user] = self.failures_of.get(user, 0) + 1
        self.calls += 1
        self.failures += failed
        # Only at a failure: a response shows that the host is up again.
        if failed and self.calls >= LEAST_CALLS and self.failures >= self.calls * FAILING_SHARE:
            self.open(now)

    def open(self, now: float) -> None:
        """Refuse calls for a pause."""
        self.opened_until, self.probing_until = now + self.pause, 0.0

    def close(self, now: float) -> None:
        """Let calls pass, and restart the count."""
        self.since, self.calls, self.failures, self.pause = now, 0, 0, FIRST_PAUSE
        self.failures_of.clear()
        self.opened_until = self.probing_until = 0.0

    def extend(self, now: float) -> None:
        """Refuse calls for twice as long, after a failed probe."""
        self.pause = min(LONGEST_PAUSE, self.pause * 2)
        self.open(now)


class Breakers:
    """Circuits by base URL, and by base URL and user. `now` is monotonic, in seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._hosts: dict[str, _Circuit] = {}
        self._users: Lru[tuple[str, str], _Circuit] = Lru(MOST_USERS)

    def check(self, host: str, user: str) -> None:
        """Raise Unavailable while a user's calls to a host fail and the next probe is not due."""
        seconds = max((circuit.waits_until() for circuit in self._of(host, user)), default=0.0) - self._now()
        if seconds > 0:
            raise Unavailable(
                "Amazon's host does not respond; nothing was sent. Sellergate calls it again soon: try again later.",
                reason=Reason.AMAZON_UNAVAILABLE,
                retry_after=min(max(0.1, seconds), LONGEST_PAUSE),
            )

    def begin(self, host: str, user: str) -> None:
        """Start a call. Raises Unavailable as `check` does, unless this call is the probe."""
        self.check(host, user)
        for circuit in self._of(host, user):
            circuit.enter(self._now(), user)

    def record_result(self, host: str, user: str, end: End) -> None:
        """Record the end of a call."""
        self._note_for_user(host, user, end)
        self._note_for_all(host, user, end)

    def state(self) -> dict[str, bool]:
        """Return the hosts with failures, and whether their circuit is open for all users."""
        return {host: bool(circuit.opened_until) for host, circuit in self._hosts.items()}

    def users(self) -> dict[str, int]:
        """Return by host the number of users whose own circuit is open, so that only their calls are refused."""
        opened = Counter(host for (host, _), circuit in self._users.items() if circuit.opened_until)
        return dict(opened)

    def _of(self, host: str, user: str) -> list[_Circuit]:
        found = (self._hosts.get(host), self._users.get((host, user)))
        return [circuit for circuit in found if circuit is not None]

    def _note_for_user(self, host: str, user: str, end: End) -> None:
        circuit = self._users.get((host, user))
        if end is End.RESPONSE:
            if circuit is not None and _succeeded(circuit, self._now()):
                self._users.drop((host, user))
        elif circuit is not None and circuit.opened_until:
            if circuit.probing_until:
                circuit.extend(self._now())
        elif end is not End.UNKNOWN:
            (circuit or self._new(host, user)).count(self._now(), failed=True)

    def _note_for_all(self, host: str, user: str, end: End) -> None:
        circuit = self._hosts.get(host)
        if end is End.RESPONSE:
            if circuit is not None and _succeeded(circuit, self._now()):
                del self._hosts[host]
        elif circuit is not None and circuit.opened_until:
            self._probe_ended(circuit, host, user, end)
        elif end is not End.UNKNOWN:
            circuit = circuit or self._hosts.setdefault(host, _Circuit(since=self._now()))
            circuit.count(self._now(), failed=True, user=user if end is End.BROKEN else None)

    def _probe_ended(self, circuit: _Circuit, host: str, user: str, end: End) -> None:
        """Record the end of a probe. A failure that the user may have caused refuses only this user: others probe next."""
        if not circuit.is_probed_by(user):
            return
        if end is End.UNREACHABLE:
            circuit.extend(self._now())
            return
        circuit.probing_until = 0.0
        own = self._users.get((host, user)) or self._new(host, user)
        if not own.opened_until:
            own.open(self._now())

    def _new(self, host: str, user: str) -> _Circuit:
        circuit = _Circuit(since=self._now())
        self._users.put((host, user), circuit)
        return circuit


def _succeeded(circuit: _Circuit, now: float) -> bool:
    """Count a response of SP-API, which closes the circuit. Return whether the circuit holds no failures."""
    if circuit.opened_until:
        circuit.close(now)
        return False
    circuit.count(now, failed=False)
    return circuit.failures == 0
