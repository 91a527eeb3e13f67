"""Parsers of single values of a former database: text, numbers, JSON, times."""

import json
import re
from datetime import UTC, datetime, timedelta

from sellergate_cli.legacy.notes import Refused

_LONGEST = 4096
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Amazon's first web service for sellers dates from 2009; a year before 2000 means seconds in place of milliseconds, or
# an invalid value.
_FIRST = datetime(2000, 1, 1, tzinfo=UTC)
_CLOCKS = timedelta(days=1)
_MILLISECONDS = re.compile(r"-?[0-9]{9,}")
_TRUE, _FALSE = frozenset({"1", "true", "t"}), frozenset({"0", "false", "f"})


def to_text(value: object, field: str) -> str:
    """Return text, or a number as text. Raises Refused, also for text that a message cannot carry."""
    if value is None:
        raise Refused(field, "is null")
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise Refused(field, "is not text")
    if not value:
        raise Refused(field, "is empty")
    if len(value) > _LONGEST:
        raise Refused(field, f"has {len(value)} characters")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Refused(field, "is not valid UTF-8") from None
    return value


def to_optional_text(value: object, field: str) -> str:
    """Return text, and null as an empty text. Raises Refused."""
    return "" if value in (None, "") else to_text(value, field)


def to_flag(value: object, field: str) -> bool:
    """Return a boolean of PostgreSQL (as text) or SQLite (0 or 1). Raises Refused."""
    text = str(value).lower()
    if text not in _TRUE | _FALSE:
        raise Refused(field, "is null" if value is None else "is neither true nor false")
    return text in _TRUE


def to_list(value: object, field: str) -> tuple[str, ...]:
    """Return a list from JSON text, also from JSON within a JSON string, or from "A,B"; null is empty. Raises Refused."""
    if value is None:
        return ()
    found: object = to_text(value, field)
    for _ in range(2):
        if isinstance(found, str):
            found = _parse(found, field)
    if found is None:
        return ()
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        raise Refused(field, "is not a list of texts")
    return tuple(to_text(item, f"{field}[{index}]") for index, item in enumerate(found))


def _parse(text: str, field: str) -> object:
    """Return the value of JSON text; split other text at its commas. Raises Refused."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        if text.lstrip().startswith(("[", "{", '"')):
            raise Refused(field, "is not JSON") from None
    return [item.strip() for item in text.split(",") if item.strip()]


def to_time(value: object, field: str, now: datetime) -> datetime:
    """Return a time from ISO text or from milliseconds since 1970; one without a zone is UTC. Raises Refused."""
    if value is None:
        raise Refused(field, "is null")
    try:
        if isinstance(value, str) and not _MILLISECONDS.fullmatch(value.strip()):
            time = datetime.fromisoformat(value.strip())
            time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
        elif isinstance(value, (str, int, float)) and not isinstance(value, bool):
            time = _EPOCH + timedelta(milliseconds=float(value) if isinstance(value, float) else int(value))
        else:
            raise Refused(field, "is not a time")
    except (ValueError, OverflowError):
        raise Refused(field, "is not a time") from None
    if not _FIRST <= time <= now + _CLOCKS:
        raise Refused(field, "is before the year 2000 or in the future")
    return time
