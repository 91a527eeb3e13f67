"""The port of re-wrapping."""

from collections.abc import Sequence
from typing import Protocol

from sellergate_account.model import Batch


class Rewrapper(Protocol):
    """All rows of the database that keep a secret or a MAC, table by table."""

    tables: Sequence[str]

    async def count(self, table: str) -> int:
        """Return how many rows a table has."""

    async def rewrap(self, table: str, after_id: str, size: int) -> Batch:
        """Store the secrets and make the MACs of the next rows again under the newest key, in one transaction.

        Rows whose secret does not open, or whose MAC does not match, stay as they are.
        """
