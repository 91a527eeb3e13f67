"""Counts of SP-API calls by operation, as plain numbers: every call writes them, and only a scrape reads them."""

from dataclasses import dataclass, field

UNKNOWN = "unknown"


@dataclass(slots=True)
class OperationCounts:
    """The counts of one operation.

    `requests` to Amazon include retries; `waited` is in seconds; `rate_share` is the share of the catalogue's rate in force.
    """

    calls: int = 0
    requests: int = 0
    throttled: int = 0
    refused: int = 0
    waits: int = 0
    waited: float = 0.0
    rate_share: float = 1.0


@dataclass(slots=True)
class CallCounts:
    """The counts of all operations. Paths that the catalogue lacks are counted together."""

    by_operation: dict[str, OperationCounts] = field(default_factory=dict)

    def of(self, operation: str) -> OperationCounts:
        """Return the counts of an operation, which the caller increments."""
        name = operation or UNKNOWN
        found = self.by_operation.get(name)
        if found is None:
            found = self.by_operation[name] = OperationCounts()
        return found
