"""Outcomes of an import's rows, and their counts."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

SHOWN = 20
"""The most refusals and warnings for the terminal; a report file gets all rows."""
_MAX_SHOWN = 64


class Refused(Exception):
    """The refusal of a row: the invalid field of the contract and the reason, without a value of the row."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.name = name
        self.reason = reason


@dataclass(frozen=True, slots=True)
class RowOutcome:
    """The outcome of one row.

    `field` and `reason` explain a refusal, or a warning about an imported row. `application_id` is the shared application that
    the account is attached to.
    """

    outcome: Literal["created", "unchanged", "refused"]
    account_id: str
    field: str = ""
    reason: str = ""
    application_id: str = ""

    @property
    def is_warning(self) -> bool:
        """Whether the row is imported with a warning."""
        return self.outcome != "refused" and bool(self.reason)

    def line(self) -> str:
        """Return the outcome as a line for a terminal."""
        label = "warning" if self.is_warning else self.outcome
        return f"{label}: {printable(self.account_id) or '(no id)'}  {self.field}  {self.reason}"

    def document(self) -> dict[str, Any]:
        """Return the outcome as a document for the report file."""
        return {
            "outcome": self.outcome,
            "warning": self.is_warning,
            "account_id": self.account_id,
            "field": self.field,
            "reason": self.reason,
            "application_id": self.application_id,
        }


@dataclass(slots=True)
class Tally:
    """Counts of one run over the table. `write` gets every row as a document; `read_as` holds lines about the detected layout."""

    rows: int
    write: Callable[[dict[str, Any]], None] = lambda _: None
    created: int = 0
    unchanged: int = 0
    refused: int = 0
    warnings: int = 0
    attached: Counter[str] = field(default_factory=Counter)
    notable: list[RowOutcome] = field(default_factory=list)
    read_as: Sequence[str] = ()

    def add(self, row: RowOutcome) -> None:
        """Count the outcome of a row and write it to the report."""
        setattr(self, row.outcome, getattr(self, row.outcome) + 1)
        self.warnings += row.is_warning
        if row.application_id:
            self.attached[row.application_id] += 1
        if (row.is_warning or row.outcome == "refused") and len(self.notable) < SHOWN:
            self.notable.append(row)
        self.write(row.document())

    @property
    def counts(self) -> tuple[int, int, int, int]:
        """The counts in which a dry run and the following import agree."""
        return self.created, self.unchanged, self.refused, self.warnings

    @property
    def adds_up(self) -> bool:
        """Whether every row of the table was created, unchanged or refused."""
        return self.created + self.unchanged + self.refused == self.rows


def printable(text: str) -> str:
    """Return an ID in a form that is safe on a terminal."""
    short = text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + "…"
    return short if short.isprintable() else ascii(short)
