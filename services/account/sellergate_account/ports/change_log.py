"""The port of the list of changes, from which other services learn which of their copies are outdated."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Kind(StrEnum):
    """The kinds of rows whose changes are listed."""

    ACCOUNT = "account"
    APPLICATION = "application"


@dataclass(frozen=True, slots=True)
class ListedChange:
    """A change of a row. `version` is that after the change; 0: the row was removed."""

    kind: Kind
    subject_id: str
    version: int


@dataclass(frozen=True, slots=True)
class ListedChanges:
    """Changes, each row's in their order, and the next cursor; with `forgets_all` the changes since the last one are unknown."""

    changes: Sequence[ListedChange]
    next_cursor: str
    forgets_all: bool


class ChangeLog(Protocol):
    """The list of changes; the transaction of each change adds it."""

    async def read(self, cursor: str) -> ListedChanges:
        """Return at least the changes that were committed before this call and were not when the cursor was made.

        All changes are unknown if the cursor is empty, expired, of another database or otherwise unusable, or if there are too
        many. Raises Unavailable.
        """

    async def settled(self) -> int:
        """Return a position before which no change will be added any more. Raises Unavailable."""

    async def remove(self, before: int, limit: int) -> int:
        """Remove at most `limit` changes from before a position; return how many were removed. Raises Unavailable."""
