"""What became of single rows of an import, and the counts of all."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

SHOWN = 20
"""Refusals and warnings that are kept for the terminal; a report file gets all rows."""
_MAX_SHOWN = 64


class Refused(Exception):
    """A row cannot be imported: the field of the contract at fault, and why, without a value of the row."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.name = name
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of one row.

    `field` and `reason` say why it was refused, or what about a row that is in deserves a look. `application_id` is the
    operator's application that the account is attached to.
    """

    outcome: Literal["created", "unchanged", "refused"]
    account_id: str
    field: str = ""
    reason: str = ""
    application_id: str = ""

    @property
    def is_warning(self) -> bool:
        """Whether the row is in and deserves a look."""
        return self.outcome != "refused" and bool(self.reason)

    def line(self) -> str:
        """Return it for a terminal."""
        label = "warning" if self.is_warning else self.outcome
        return f"{label}: {printable(self.account_id) or '(no id)'}  {self.field}  {self.reason}"

    def document(self) -> dict[str, Any]:
        """Return it for the report file."""
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
    """Counts of one run over the table. `write` gets every row as a document; `read_as` says how the table was read."""

    rows: int
    write: Callable[[dict[str, Any]], None] = lambda _: None
    created: int = 0
    unchanged: int = 0
    refused: int = 0
    warnings: int = 0
    attached: Counter[str] = field(default_factory=Counter)
    notable: list[Fate] = field(default_factory=list)
    read_as: Sequence[str] = ()

    def add(self, fate: Fate) -> None:
        """Count what became of a row, and hand it on."""
        setattr(self, fate.outcome, getattr(self, fate.outcome) + 1)
        self.warnings += fate.is_warning
        if fate.application_id:
            self.attached[fate.application_id] += 1
        if (fate.is_warning or fate.outcome == "refused") and len(self.notable) < SHOWN:
            self.notable.append(fate)
        self.write(fate.document())

    @property
    def counts(self) -> tuple[int, int, int, int]:
        """What a dry run and the run after it agree in."""
        return self.created, self.unchanged, self.refused, self.warnings

    @property
    def adds_up(self) -> bool:
        """Whether every row of the table was created, unchanged or refused."""
        return self.created + self.unchanged + self.refused == self.rows


def printable(text: str) -> str:
    """Return what a terminal may be shown of an id, which may hold any characters."""
    short = text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + "…"
    return short if short.isprintable() else ascii(short)
