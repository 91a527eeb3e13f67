"""Checks of values by type annotations: what mypy accepts for an argument is what the running program accepts."""

import collections.abc as abstract
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

Check = Callable[[Any], bool]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule for values beyond their type; `words` complete "must be …"."""

    words: str
    is_right: Check = lambda _: True


Seconds = Annotated[
    float, Rule("a finite number of seconds from 0 on", lambda value: math.isfinite(value) and value >= 0)
]
Timeout = Annotated[float, Rule("a finite number of seconds above 0", lambda value: math.isfinite(value) and value > 0)]
Count = Annotated[int, Rule("a whole number from 0 on", lambda value: value >= 0)]
EmptyableText = Annotated[str, Rule("a text")]
"""A text that may be empty also where it has no default."""
AwareTime = Annotated[datetime, Rule("a datetime with a time zone", lambda value: value.utcoffset() is not None)]
_WORDS: Mapping[Any, str] = {
    str: "a text",
    bytes: "bytes",
    int: "a whole number",
    float: "a number",
    bool: "True or False",
    NoneType: "None",
}
_WORDS_OF_LISTS: Mapping[Any, str] = {
    abstract.Sequence: "a list",
    # The items of these two are checked as they are taken.
    abstract.Iterable: "an iterable",
    abstract.AsyncIterable: "an asynchronous iterable",
}


def check_kind(name: str, kind: Any, value: Any) -> None:
    """Raise TypeError for a value that is not of the annotation `kind`; it names the argument and what it must be."""
    if not _check_of(kind)(value):
        given = repr(value) if isinstance(value, int | float | datetime) else type(value).__name__
        raise TypeError(f"{name} must be {words_of(kind)}, not {given}")


@cache
def words_of(kind: Any) -> str:
    """Return what a value of a kind is, in words that complete "must be …"."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return str(inner[1].words)
    if origin in (Union, UnionType):
        *some, last = [words_of(one) for one in inner]
        return f"{', '.join(some)} or {last}"
    if origin is Literal:
        return " or ".join(map(repr, inner))
    if origin is abstract.Mapping:
        return f"a mapping of {_plural(inner[0])} to {_plural(inner[1])}"
    if origin is tuple or origin in _WORDS_OF_LISTS:
        return _words_of_tuple(inner) if origin is tuple else f"{_WORDS_OF_LISTS[origin]} of {_plural(inner[0])}"
    return _WORDS.get(kind) or ("a function" if origin is abstract.Callable else f"a {(origin or kind).__name__}")


def _plural(kind: Any) -> str:
    words = "value" if kind is Any else words_of(kind)
    return words if words.startswith("(") else f"{words.removeprefix('a ')}s"


def _words_of_tuple(kinds: tuple[Any, ...]) -> str:
    return f"({', '.join('value' if kind is Any else words_of(kind) for kind in kinds)})"


@cache
def _check_of(kind: Any) -> Check:  # noqa: PLR0911  (one line for each kind)
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        is_kind, is_right = _check_of(inner[0]), inner[1].is_right
        return lambda value: is_kind(value) and is_right(value)
    if origin in (Union, UnionType):
        checks = [_check_of(one) for one in inner]
        return lambda value: any(check(value) for check in checks)
    if origin is Literal:
        return lambda value: isinstance(value, str) and value in inner
    if origin is abstract.Mapping:
        is_name, is_value = map(_check_of, inner)
        return lambda value: (
            isinstance(value, Mapping) and all(map(is_name, value)) and all(map(is_value, value.values()))
        )
    if origin is abstract.Sequence:
        is_item = _check_of(inner[0])
        return lambda value: _is_list(value) and all(map(is_item, value))
    if origin is tuple:
        items = [_check_of(one) for one in inner]
        return lambda value: (
            _is_list(value)
            and len(value) == len(items)
            and all(check(item) for check, item in zip(items, value, strict=True))
        )
    return _check_of_class(origin or kind)


def _check_of_class(kind: Any) -> Check:
    if kind is Any:
        return lambda _: True
    if kind in (int, float):  # Python counts True as 1, and a whole number as a number
        numbers = int if kind is int else int | float
        return lambda value: isinstance(value, numbers) and not isinstance(value, bool)
    return lambda value: isinstance(value, kind)


def _is_list(value: Any) -> bool:
    return isinstance(value, abstract.Sequence) and not isinstance(value, str | bytes | bytearray | memoryview)
