"""The ports of the feed: where changes are read from, and the copies that they end."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

REMOVED = 0
"""The version of a row that was removed: every copy of it is outdated."""


@dataclass(frozen=True, slots=True)
class Change:
    """A change of one row. `kind` is that of the row ("account"), `version` its version after the change or REMOVED."""

    kind: str
    id: str
    version: int


@dataclass(frozen=True, slots=True)
class ChangePage:
    """Changes in the order in which each row underwent them, and the cursor of the next request.

    With `forgets_all` the changes since the last cursor are unknown.
    """

    changes: Sequence[Change]
    cursor: str
    forgets_all: bool = False


class ChangeSource(Protocol):
    """The owner of the copied values."""

    async def read(self, cursor: str) -> ChangePage:
        """Return at least the changes that were acknowledged before this request and are not known at `cursor`.

        An empty cursor begins. Raises SellergateError.
        """


class CopyHolder(Protocol):
    """A holder of copies of one kind of rows."""

    def drop_older(self, id_: str, version: int) -> None:
        """Drop the copy of a row unless its version is `version` or a later one; REMOVED drops it in any case."""

    def forget_all(self) -> None:
        """Drop every copy."""
