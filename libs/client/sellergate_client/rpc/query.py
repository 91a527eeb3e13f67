"""The conversion of values into query parameters.

| value | sent as |
|---|---|
| `None` | nothing: the parameter is omitted |
| `str` | unchanged |
| `bool` | `true` or `false` |
| `int`, `Decimal`, `float` | decimal digits; NaN and infinity are refused |
| `datetime` with a time zone | ISO 8601 in UTC, as in `2026-11-16T08:00:00Z`; one without a time zone is refused |
| `date` | ISO 8601, as in `2026-11-16` |
| `Enum` | its value, by this rule |
| `list`, `tuple` | its values by this rule, separated by commas, as Amazon's array parameters are |

A list must not be empty, and a value in it must hold no comma, which Amazon would read as two values. Everything else (sets, which
have no order, mappings, bytes, other objects) is refused. Use `raw_query` for anything else.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any

from sellergate_common.errors import InvalidRequest

from sellergate_client.rpc.kinds import Rule

Query = Annotated[
    Mapping[str, Any] | Sequence[tuple[str, Any]],
    Rule("a mapping or a list of (name, value); give a text as raw_query"),
]


def query_pairs(query: Query) -> list[tuple[str, str]]:
    """Return the names and texts of a query. Raises InvalidRequest that names the parameter."""
    if isinstance(query, str | bytes) or not isinstance(query, Mapping | Sequence):
        raise InvalidRequest.of_field("query", "must be a mapping or a list of (name, value); give a text as raw_query")
    named = list(query.items()) if isinstance(query, Mapping) else [_pair(pair) for pair in query]
    return [(name, text_of(name, value)) for name, value in named if value is not None and _is_name(name)]


def text_of(name: str, value: Any) -> str:
    """Return the text of a parameter's value. Raises InvalidRequest that names the parameter."""
    if not isinstance(value, list | tuple):
        return _single(name, value)
    if not value:
        raise _refused(name, "must not be an empty list; leave the parameter out, or give None")
    texts = [_single(f"{name}[{index}]", one) for index, one in enumerate(value)]
    for index, text in enumerate(texts):
        if "," in text:
            raise _refused(
                f"{name}[{index}]",
                "must hold no comma, which Amazon reads as the end of a value; send this value in a separate call, or encode the"
                " query and give it as raw_query",
            )
    return ",".join(texts)


def _single(name: str, value: Any) -> str:
    while isinstance(value, Enum):
        value = value.value
    if isinstance(value, str):
        return value
    if isinstance(value, int | float | Decimal):
        return _number(name, value)
    if isinstance(value, date):  # datetime is a kind of date
        return _time(name, value)
    advice = "; give a list, so that the order is known" if isinstance(value, set | frozenset) else ""
    raise _refused(name, f"cannot be made of {type(value).__name__}{advice}")


def _number(name: str, value: float | Decimal) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if not math.isfinite(value):
        raise _refused(name, "must be a finite number")
    return format(Decimal(str(value)), "f")


def _time(name: str, value: date) -> str:
    if not isinstance(value, datetime):
        return value.isoformat()
    if value.utcoffset() is None:
        raise _refused(name, "must have a time zone, as datetime.now(UTC) has")
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _pair(given: Any) -> tuple[str, Any]:
    if not isinstance(given, list | tuple) or len(given) != 2:  # noqa: PLR2004  (a name and a value)
        raise InvalidRequest.of_field("query", "must hold pairs of a name and a value")
    return given[0], given[1]


def _is_name(name: Any) -> bool:
    if not isinstance(name, str) or not name:
        raise InvalidRequest.of_field("query", f"must have names that are texts, and got {type(name).__name__}")
    return True


def _refused(name: str, description: str) -> InvalidRequest:
    return InvalidRequest.of_field(f"query.{name}", description)
