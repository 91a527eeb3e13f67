"""The result of one check."""

from dataclasses import dataclass
from typing import Literal

Outcome = Literal["OK", "WARNING", "FAILED", "SKIPPED"]


@dataclass(frozen=True, slots=True)
class Finding:
    """A check, its outcome, and the details with the remedy."""

    check: str
    outcome: Outcome
    what: str

    def row(self) -> dict[str, str]:
        """Return the finding as a table row."""
        return {"check": self.check, "outcome": self.outcome, "what": self.what}
