"""The names of the former system's table and columns: Prisma's, in snake case, or given by the operator."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from sellergate_cli.legacy.rows import COLUMNS
from sellergate_cli.operator import SentenceError

TABLES = ("AmazonAccount", "amazon_accounts")
_HUMP = re.compile(r"(?<!^)(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class Naming:
    """Names given by the operator: the table, and the former column by the imported one."""

    table: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)


def snake(name: str) -> str:
    """Return a column's name in snake case."""
    return _HUMP.sub("_", name).lower()


_COLUMN_NAMES = {name: column for column in COLUMNS for name in (column, snake(column))}


def parse_columns(given: Iterable[str]) -> dict[str, str]:
    """Parse pairs of FORMER=COLUMN; return the former column by the imported one. Raises ValueError that names the pair."""
    found: dict[str, str] = {}
    for pair in given:
        legacy_name, _, name = pair.rpartition("=")
        sellergate_name = _COLUMN_NAMES.get(name)
        if not legacy_name or sellergate_name is None:
            raise ValueError(f"{pair!r} must be FORMER=COLUMN, and COLUMN one of {', '.join(COLUMNS)}")
        if sellergate_name in found:
            raise ValueError(f"{sellergate_name} is given twice; give it once")
        found[sellergate_name] = legacy_name
    return found


def choose_table(there: Collection[str], wanted: str | None) -> str:
    """Return the table's name. Raises SentenceError that says what to do."""
    found = [name for name in ((wanted,) if wanted else TABLES) if name in there]
    if len(found) == 1:
        return found[0]
    if found:
        raise SentenceError(f"There are the tables {' and '.join(found)}; name the one to import with --table.")
    known = wanted or '" or "'.join(TABLES)
    raise SentenceError(f'The database has no table "{known}"; if it has another name, give it with --table.')


def match_columns(table: str, there: Collection[str], given: Mapping[str, str]) -> dict[str, str]:
    """Return the table's name of every required column. Raises SentenceError that says what to do."""
    unknown = sorted(set(given.values()) - set(there))
    if unknown:
        raise SentenceError(
            f'The table "{table}" has no column {", ".join(unknown)}, which --column names; check its spelling.'
        )
    found = {}
    for sellergate_name in COLUMNS:
        names = (given[sellergate_name],) if sellergate_name in given else (sellergate_name, snake(sellergate_name))
        if name := next((name for name in names if name in there), None):
            found[sellergate_name] = name
    missing = sorted(set(COLUMNS) - set(found))
    if missing:
        raise SentenceError(
            f'The table "{table}" lacks the columns {", ".join(missing)}; if they have other names, give each with'
            f" --column FORMER={missing[0]}, and if there are none, make a view with them and name it with --table."
        )
    return found
