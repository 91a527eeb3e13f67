"""The reader and writer of the catalogue's file: a JSON array with a row for each operation, whose facts are checked."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from sellergate_amazon.data_files import DataFileError, read_json
from sellergate_amazon.routes import parameter_name

METHODS = ("GET", "HEAD", "OPTIONS", "PUT", "DELETE", "POST", "PATCH")
_Check = tuple[str, Callable[[Any], bool]]
_NAME = re.compile(r"[A-Za-z0-9._:/-]{1,200}")
_PATH = re.compile(r"(/([A-Za-z0-9._~-]+|\{[A-Za-z0-9_]+\}))+")
_PARAMETER = re.compile(r"(path|query|header|formData|cookie|body):[^\s!]+!?")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e6  # noqa: PLR2004


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1e6  # noqa: PLR2004


def _text(pattern: re.Pattern[str]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def _texts(pattern: re.Pattern[str]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(map(_text(pattern), value))


def _one_of(*values: Any) -> _Check:
    allowed = ", ".join(json.dumps(value) for value in values)
    return f"must be one of {allowed}", lambda value: any(value is one or value == one for one in values)


def _or_null(check: _Check) -> _Check:
    words, holds = check
    return f"{words}, or null", lambda value: value is None or holds(value)


_WORD: _Check = ("must be a text of letters, digits and . _ : / -", _text(_NAME))
_FLAG: _Check = ("must be true or false", lambda value: isinstance(value, bool))
_RATE: _Check = ("must be a number of calls a second above 0 and below 1,000,000", _is_number)
_BURST: _Check = ("must be a whole number of calls above 0 and below 1,000,000", _is_count)
_WORDS: _Check = ("must be an array of texts", _texts(_NAME))
# The facts of each row, in the order of the file.
REQUIRED: Mapping[str, _Check] = {
    "name": _WORD,
    "api": _WORD,
    "version": _WORD,
    "operation_id": _WORD,
    "method": _one_of(*METHODS),
    "path": ("must be a path such as /orders/v0/orders/{orderId}", _text(_PATH)),
    "rate": _or_null(_RATE),
    "burst": _or_null(_BURST),
    "rate_source": _one_of("model", "sdk", None),
    "restricted": _FLAG,
    "restricted_data_elements": _WORDS,
    "restricted_basis": _one_of("conditional", "ambiguous", None),
    "grantless_scope": _or_null(_WORD),
    "deprecated": _FLAG,
    "paginated_by": _or_null(_WORD),
    "next_token_path": _or_null(_WORD),
    "sandbox": _one_of("static", "dynamic", None),
    "sandbox_only": _FLAG,
    "success_status": ("must be a status from 200 to 299", lambda value: _is_count(value) and 200 <= value < 300),  # noqa: PLR2004
    "envelope": _one_of("payload", "bare", "array", None),
}
# Optional facts; files from before their introduction lack them.
OPTIONAL: Mapping[str, _Check] = {
    "parameters": ("must be an array of texts such as query:MarketplaceIds!", _texts(_PARAMETER)),
    "application_rate": _RATE,
    "application_burst": _BURST,
    "document": _one_of("REPORT", "FEED", "DATA_KIOSK"),
    "removal_date": ("must be a day such as 2027-03-27", _text(_DAY)),
    "page_list": _or_null(_WORD),
    "next_keeps": _WORDS,
    "next_sets": (
        "must be an object of texts",
        lambda value: isinstance(value, dict) and all(isinstance(one, str) for one in value.values()),
    ),
    "next_operation": _WORD,
    "pages_in_body": _FLAG,
    "repeatable": _FLAG,
}
_PAIRED = (("rate", "burst"), ("rate", "rate_source"), ("paginated_by", "next_token_path"))


def read_rows(file: Path) -> list[dict[str, Any]]:
    """Return the rows of a catalogue's file. Raises DataFileError that names the first invalid entry."""
    rows = read_json(file)
    if not isinstance(rows, list) or not rows:
        raise DataFileError(file, "", "must be a JSON array with an object for each operation")
    for number, row in enumerate(rows, start=1):
        check_row(file, number, row)
    _check_next_operations(file, rows)
    return rows


def check_row(file: Path | str, number: int, row: Any) -> None:
    """Check one row; `number` counts from 1. Raises DataFileError."""
    if not isinstance(row, dict):
        raise DataFileError(file, f"entry {number}", "must be an object")
    entry = f"entry {number} ({row['name']:.100})" if isinstance(row.get("name"), str) else f"entry {number}"
    for fact in REQUIRED:
        if fact not in row:
            raise DataFileError(file, entry, f"{fact} is missing")
    for fact, value in row.items():
        check_fact(file, entry, fact, value)
    for first, second in _PAIRED:
        if (row[first] is None) is not (row[second] is None):
            raise DataFileError(file, entry, f"{first} and {second} must both be given, or both be null")
    names = [name for segment in row["path"].split("/") if (name := parameter_name(segment)) is not None]
    if len(names) != len(set(names)):
        raise DataFileError(file, entry, "path must not have a parameter twice")


def _check_next_operations(file: Path | str, rows: Iterable[Mapping[str, Any]]) -> None:
    """Check that each operation of a next page is one of the file and needs no path parameter. Raises DataFileError."""
    paths = {row["name"]: row["path"] for row in rows}
    for number, row in enumerate(rows, start=1):
        named = row.get("next_operation")
        if named is not None and "{" in paths.get(named, "{"):
            fault = "next_operation must name an operation of the file whose path has no parameters"
            raise DataFileError(file, f"entry {number} ({row['name']:.100})", fault)


def check_fact(file: Path | str, entry: str, fact: str, value: Any) -> None:
    """Check one fact of a row. Raises DataFileError."""
    check = REQUIRED.get(fact) or OPTIONAL.get(fact)
    if check is None:
        raise DataFileError(file, entry, f"{fact:.100} is not a fact of the catalogue")
    words, holds = check
    if not holds(value):
        raise DataFileError(file, entry, f"{fact} {words}")


def text_of(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return the file's text: one row per line, sorted by name, facts in the order of the checks. Equal rows give equal text."""
    lines = ",\n".join(
        json.dumps({fact: row[fact] for fact in (*REQUIRED, *OPTIONAL) if fact in row}, separators=(",", ":"))
        for row in sorted(rows, key=lambda row: str(row["name"]))
    )
    return f"[\n{lines}\n]\n"
