"""The counters that tests read: requests to LWA, STS and each operation, and their outcomes."""

from collections import Counter
from dataclasses import dataclass, field
from hashlib import sha256

from sellergate_simulator.control.journal import Journal


@dataclass(slots=True)
class OperationCount:
    """Requests for one operation: received, executed, and throttled ones."""

    calls: int = 0
    executions: int = 0
    throttled: int = 0


@dataclass(slots=True)
class Counters:
    """All counters since the start or the last reset."""

    exchanges: Counter[str] = field(default_factory=Counter)
    """Successful exchanges by grant type."""
    lwa_rejected: Counter[str] = field(default_factory=Counter)
    """Refused exchanges by error."""
    assume_role: int = 0
    sts_rejected: int = 0
    operations: dict[str, OperationCount] = field(default_factory=dict)
    signed_calls: int = 0
    """SP-API calls whose signature was verified."""
    unsigned_calls: int = 0
    faults_given: int = 0
    recorded: str | None = None
    """The operation whose executions are recorded; None: no recording."""
    bodies: Counter[str] = field(default_factory=Counter)
    """The number of executions by SHA-256 of the body."""
    journal: Journal = field(default_factory=Journal)

    def operation(self, name: str) -> OperationCount:
        """Return the counters of one operation."""
        return self.operations.setdefault(name, OperationCount())

    def record_execution(self, name: str, body: bytes) -> None:
        """Count an execution."""
        self.operation(name).executions += 1
        if name == self.recorded:
            self.bodies[sha256(body).hexdigest()] += 1

    def record(self, name: str) -> None:
        """Start to record the executions of an operation."""
        self.recorded = name
        self.bodies.clear()

    def document(self) -> dict[str, object]:
        """Return the counters as the document of `GET /control/counters`."""
        operations = {
            name: {"calls": count.calls, "executions": count.executions, "throttled": count.throttled}
            for name, count in sorted(self.operations.items())
        }
        return {
            "lwa": {
                "exchanges": self.exchanges.total(),
                "by_grant": dict(self.exchanges),
                "rejected": dict(self.lwa_rejected),
            },
            "sts": {"assume_role": self.assume_role, "rejected": self.sts_rejected},
            "operations": operations,
            "throttled": sum(count.throttled for count in self.operations.values()),
            "signed_calls": self.signed_calls,
            "unsigned_calls": self.unsigned_calls,
            "faults_given": self.faults_given,
        }

    def reset(self) -> None:
        """Reset all counters to zero."""
        self.exchanges.clear()
        self.lwa_rejected.clear()
        self.operations.clear()
        self.bodies.clear()
        self.assume_role = self.sts_rejected = self.signed_calls = self.unsigned_calls = self.faults_given = 0
