"""What was found."""

from dataclasses import dataclass
from typing import Literal

Outcome = Literal["OK", "WARNING", "FAILED", "SKIPPED"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, how it is, and what to do about it."""

    check: str
    outcome: Outcome
    what: str

    def row(self) -> dict[str, str]:
        """Return it as a row of a table."""
        return {"check": self.check, "outcome": self.outcome, "what": self.what}
