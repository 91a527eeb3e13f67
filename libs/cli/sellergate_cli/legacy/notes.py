"""What an import says of single rows, and of all."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Literal

SHOWN = 20
"""Notes that are kept for the terminal; a report file gets all."""
_MAX_SHOWN = 64


class Refused(Exception):
    """A row cannot be imported: the field of the contract at fault, and why, without a value of the row."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.name = name
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Note:
    """Why a row was refused, or what about it deserves a look."""

    outcome: Literal["refused", "warning"]
    account_id: str
    field: str
    reason: str

    def line(self) -> str:
        """Return it for a terminal."""
        return f"{printable(self.account_id) or '(no id)'}  {self.field}  {self.reason}"


@dataclass(slots=True)
class Tally:
    """Counts of one run over the table. `write` gets every note as a document."""

    rows: int
    write: Callable[[dict[str, str]], None] = lambda _: None
    created: int = 0
    unchanged: int = 0
    refused: int = 0
    warnings: int = 0
    notes: list[Note] = field(default_factory=list)

    def note(self, note: Note) -> None:
        """Count a note and hand it on."""
        if note.outcome == "refused":
            self.refused += 1
        else:
            self.warnings += 1
        if len(self.notes) < SHOWN:
            self.notes.append(note)
        self.write(asdict(note))

    @property
    def counts(self) -> tuple[int, int, int, int]:
        """What a dry run and the run after it agree in."""
        return self.created, self.unchanged, self.refused, self.warnings

    @property
    def adds_up(self) -> bool:
        """Whether every row of the table was created, unchanged or refused."""
        return self.created + self.unchanged + self.refused == self.rows


def printable(text: str) -> str:
    """Return what a terminal may be shown of an id that anybody may have written."""
    short = text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + "…"
    return short if short.isprintable() else ascii(short)
