"""What becomes of calls of SP-API, counted in plain numbers by operation: every call counts, and only a scrape reads."""

from dataclasses import dataclass, field

UNKNOWN = "unknown"


@dataclass(slots=True)
class OperationCounts:
    """One operation. `requests` went to Amazon, repeats included; `waited` in seconds; `rate_share` of the catalogue's rate."""

    calls: int = 0
    requests: int = 0
    throttled: int = 0
    refused: int = 0
    waits: int = 0
    waited: float = 0.0
    rate_share: float = 1.0


@dataclass(slots=True)
class CallCounts:
    """All operations. Paths that the catalogue does not have are counted together."""

    by_operation: dict[str, OperationCounts] = field(default_factory=dict)

    def of(self, operation: str) -> OperationCounts:
        """Return the counts of an operation, to be counted up."""
        name = operation or UNKNOWN
        found = self.by_operation.get(name)
        if found is None:
            found = self.by_operation[name] = OperationCounts()
        return found
