"""Cursors of the list of changes, opaque to their holders: which database, which position, when made."""

import re
from dataclasses import dataclass

USABLE_SECONDS = 300
"""How long a cursor is usable; changes are kept for twice as long."""
_SHAPE = re.compile(r"([0-9a-f-]{1,64})\.([0-9]{1,18})\.([0-9]{1,12})")


@dataclass(frozen=True, slots=True)
class ListCursor:
    """A cursor. `origin` names the database, `made` is a time of its clock, in seconds since 1970."""

    origin: str
    position: int
    made: int

    def __str__(self) -> str:
        """Return the text that callers keep."""
        return f"{self.origin}.{self.position}.{self.made}"

    def is_usable(self, now: int) -> bool:
        """Return whether all changes since the cursor are still kept; a cursor of the future is from another clock."""
        return 0 <= now - self.made <= USABLE_SECONDS


def parse(text: str) -> ListCursor | None:
    """Read a cursor; None for what is none."""
    found = _SHAPE.fullmatch(text)
    return ListCursor(found[1], int(found[2]), int(found[3])) if found else None
