"""Faults on demand: the requests that they affect, and their remaining number."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count
from random import Random

from sellergate_simulator.http.responses import Response

SP_API_KINDS = (
    "429",
    "429_no_header",
    "500_json",
    "500_html",
    "503_json",
    "503_html",
    "403_expired",
    "slow",
    "reset",
    "truncate",
    "given",
)
LWA_KINDS = (
    "lwa_500",
    "lwa_429",
    "lwa_html",
    "lwa_invalid_request",
    "lwa_access_denied",
    "lwa_text_life",
    "lwa_odd_types",
    "lwa_odd_token",
    "lwa_surrogate",
    "lwa_charset",
    "lwa_deep",
    "lwa_large",
    "lwa_slow",
    "lwa_silent",
    "lwa_given",
)
STS_KINDS = ("sts_throttle", "sts_html", "sts_large", "sts_slow", "sts_silent", "sts_given")
DOCUMENT_KINDS = ("document_cut", "document_expired", "document_503")
THROTTLING_KINDS = frozenset({"429", "429_no_header"})


@dataclass(slots=True)
class Fault:
    """A fault for matching requests, until its count is used up."""

    fault_id: int
    kind: str
    operation: str | None
    """Full name of the only affected operation, or LWA's grant type; None: any."""
    remaining: int | None
    """The number of requests still to affect; None: until removed."""
    probability: float
    delay_seconds: float
    retry_after_seconds: int | None
    executed: bool
    """Whether the operation is executed before the fault replaces its response."""
    response: Response | None = None
    """The response of kinds that end with `given`."""

    def document(self) -> dict[str, object]:
        """Return the fault as in the document of `GET /control/faults`."""
        return {
            "id": self.fault_id,
            "kind": self.kind,
            "operation": self.operation,
            "count": self.remaining,
            "probability": self.probability,
            "delay_seconds": self.delay_seconds,
            "retry_after_seconds": self.retry_after_seconds,
            "executed": self.executed,
        }


class Faults:
    """The active faults, the oldest first."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._faults: list[Fault] = []
        self._ids = count(1)

    def next_id(self) -> int:
        """Return the ID of a new fault."""
        return next(self._ids)

    def add(self, fault: Fault) -> None:
        """Add a fault behind the others."""
        self._faults.append(fault)

    def all(self) -> list[Fault]:
        """Return the active faults."""
        return list(self._faults)

    def remove(self, fault_id: int | None = None) -> int:
        """Remove one fault, or all of them; return how many were removed."""
        kept = [fault for fault in self._faults if fault_id is not None and fault.fault_id != fault_id]
        removed = len(self._faults) - len(kept)
        self._faults = kept
        return removed

    def take(self, kinds: Iterable[str], operation: str | None = None) -> Fault | None:
        """Return the first fault of these kinds that matches the request, and decrement its count; None without one."""
        for fault in self._faults:
            if fault.kind not in kinds or fault.operation not in {None, operation}:
                continue
            if self._random.random() >= fault.probability:
                continue
            if fault.remaining is not None:
                fault.remaining -= 1
                if fault.remaining <= 0:
                    self._faults.remove(fault)
            return fault
        return None
