"""The SQL statements that reach a database, also those that SQLAlchemy does not see."""

import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import aiosqlite
import psycopg
import pytest

_PARTS = re.compile(r"^(?=(\w+)).*?(?:FROM|INTO|UPDATE) (\w+)(.*)")


@contextmanager
def sent() -> Iterator[list[str]]:
    """Collect the texts of the statements that the drivers get; one that is executed with several rows counts once."""
    seen: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        for cursor in (psycopg.AsyncCursor, aiosqlite.Cursor):
            for name in ("execute", "executemany"):
                patch.setattr(cursor, name, _noting(getattr(cursor, name), seen))
        yield seen


@contextmanager
def statements() -> Iterator[list[str]]:
    """Collect statements: verb, table, and the columns that an UPDATE sets."""
    seen: list[str] = []
    with sent() as texts:
        yield seen
    for text in texts:
        for verb, table, rest in _PARTS.findall(text.replace("\n", "")):  # BEGIN has no table
            columns = re.findall(r"(\w+)=", rest.partition("WHERE")[0]) if verb == "UPDATE" else []
            seen.append(" ".join((verb, table, *columns)))


def _noting(execute: Callable[..., Awaitable[Any]], seen: list[str]) -> Callable[..., Awaitable[Any]]:
    async def noted(cursor: Any, statement: str | bytes, *given: Any, **options: Any) -> Any:
        seen.append(statement.decode() if isinstance(statement, bytes) else statement)
        return await execute(cursor, statement, *given, **options)

    return noted
