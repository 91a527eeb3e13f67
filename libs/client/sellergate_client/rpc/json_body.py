"""The encoder of JSON bodies; it refuses values that JSON cannot hold before anything is sent."""

import json
import math
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

from sellergate_common.errors import InvalidRequest

MOST_DEPTH = 64
_ADVICE: tuple[tuple[type, str], ...] = (
    (Decimal, "give float(…) for a number, or str(…) for a text, as Amazon's model of the operation says"),
    (datetime, "give its isoformat(), with a time zone"),
    (date, "give its isoformat()"),
    (Enum, "give its value"),
    (set, "give a list"),
    (frozenset, "give a list"),
    (bytes, "give a text"),
)


def encode_json(document: Any) -> bytes:
    """Return a document as JSON. Raises InvalidRequest that names the field, as in `json.items[2].price`."""
    _check("json", document, 0)
    return json.dumps(document, allow_nan=False).encode()


def _check(field: str, value: Any, depth: int) -> None:
    if depth > MOST_DEPTH:
        raise InvalidRequest.of_field("json", f"must not be nested deeper than {MOST_DEPTH} levels, or hold itself")
    if isinstance(value, dict):
        for name, inner in value.items():
            if not isinstance(name, str):
                raise InvalidRequest.of_field(field, f"must have names that are texts, and got {type(name).__name__}")
            _check(f"{field}.{name}", inner, depth + 1)
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            _check(f"{field}[{index}]", inner, depth + 1)
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise InvalidRequest.of_field(field, f"must be a finite number; JSON has no {value}")
    elif value is not None and not isinstance(value, str | int):
        advice = next((words for kind, words in _ADVICE if isinstance(value, kind)), "give a value that JSON can hold")
        raise InvalidRequest.of_field(field, f"cannot hold {type(value).__name__}; {advice}")
