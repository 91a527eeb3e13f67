"""The options of a call: their names and types, checked before anything is sent."""

import difflib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, TypedDict

from sellergate_client.rpc.query import Query

Headers = Mapping[str, str] | Sequence[tuple[str, str]]


class Options(TypedDict, total=False):
    """The options of one call.

    `headers`: further headers. `data_elements`: elements of personal data that Orders v0 returns. `as_is`: return Amazon's
    refusals as responses instead of raising them. `max_wait`: longest wait for quota in seconds; by default the deadline. `batch`:
    leave a share of the quota to interactive calls. `sandbox`: call the sandbox or production; by default the account's
    environment.
    `restricted_resources`: use the Restricted Data Token of exactly these resources, as (method, path, data elements).
    `token_kind`: "seller" or "grantless", for operations with which Amazon accepts either; by default as the operation requires.
    """

    headers: Headers
    data_elements: Sequence[str]
    as_is: bool
    max_wait: float | None
    batch: bool
    sandbox: bool | None
    restricted_resources: Sequence[tuple[str, str, Sequence[str]]]
    token_kind: str


class Body(TypedDict, total=False):
    """The content of a call: `json` to encode, or `body` with its `content_type`; `query` to encode, or `raw_query` unchanged."""

    query: Query | None
    raw_query: str | None
    body: bytes
    json: Any
    content_type: str


class CallOptions(Options, Body, total=False):
    """All options of a call except account, method and path."""


class PartnerOptions(Options, total=False):
    """The options of a seller's call. `seconds` bound it; by default those of the SellingPartner."""

    seconds: float


class PartnerCallOptions(CallOptions, PartnerOptions, total=False):
    """All options of a seller's call except method and path."""


_NAMES = frozenset(CallOptions.__annotations__)
PARTNER_NAMES = frozenset(PartnerCallOptions.__annotations__)
"""The options of `SellingPartner.request`."""
METHOD_NAMES = PARTNER_NAMES - {"query"} | {"params"}
"""The options of `SellingPartner.get` and its like."""
# The names by which other HTTP clients, and other methods here, call these options.
_SYNONYMS = {"timeout": "seconds", "data": "body", "content": "body", "params": "query", "query": "params"}


def check_names(method: str, given: Iterable[str], allowed: AbstractSet[str] = _NAMES) -> None:
    """Raise TypeError for an unknown option of `method`; it names the option and the nearest one that exists."""
    for name in given:
        if name not in allowed:
            synonym = _SYNONYMS.get(name)
            nearest = [synonym] if synonym in allowed else difflib.get_close_matches(name, sorted(allowed), 1)
            hint = f"did you mean {nearest[0]}?" if nearest else f"it takes {', '.join(sorted(allowed))}"
            raise TypeError(f"{method}() has no option {name}; {hint}")


def check_types(options: Mapping[str, Any]) -> None:
    """Raise TypeError for an option of a wrong type; it names the option."""
    for name, (is_right, kind) in _TYPES.items():
        if name in options and not is_right(options[name]):
            raise TypeError(f"{name} must be {kind}, not {type(options[name]).__name__}")


def header_pairs(headers: Headers) -> list[tuple[str, str]]:
    """Return headers as pairs of name and value. Raises TypeError for other than texts."""
    pairs = list(headers.items()) if isinstance(headers, Mapping) else list(headers)
    if not all(_is_pair_of_texts(pair) for pair in pairs):
        raise TypeError("headers must hold pairs of texts, as in [(name, value)]")
    return [(name, value) for name, value in pairs]


def refuse_unnamed(method: str, unnamed: Sequence[Any]) -> None:
    """Raise TypeError for an unnamed argument of a write after its path: it could be meant as body or as query."""
    if unnamed:
        raise TypeError(
            f"{method}() takes only the path without a name; write {method}(path, json=…) for a body,"
            f" or {method}(path, params=…) for a query"
        )


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_pair_of_texts(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(value) == 2 and all(map(_is_text, value))  # noqa: PLR2004


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _is_list_of_texts(value: Any) -> bool:
    return _is_list(value) and all(map(_is_text, value))


def _is_resource(value: Any) -> bool:
    return _is_list(value) and len(value) == 3 and _is_pair_of_texts(list(value[:2])) and _is_list_of_texts(value[2])  # noqa: PLR2004


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_seconds(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value) and value >= 0


def _or_none(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or check(value)


_TYPES: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "headers": (lambda value: isinstance(value, Mapping) or _is_list(value), "a mapping or a list of (name, value)"),
    "data_elements": (_is_list_of_texts, "a list of texts"),
    "as_is": (_is_flag, "True or False"),
    "max_wait": (_or_none(_is_seconds), "a finite number of seconds from 0 on, or None"),
    "batch": (_is_flag, "True or False"),
    "sandbox": (_or_none(_is_flag), "True, False or None"),
    "restricted_resources": (
        lambda value: _is_list(value) and all(map(_is_resource, value)),
        "a list of (method, path, data elements)",
    ),
    "token_kind": (_is_text, "a text"),
    "raw_query": (_or_none(_is_text), "a text, or None"),
    "body": (lambda value: isinstance(value, bytes), "bytes (encode a text, or give a document as json)"),
    "content_type": (_is_text, "a text"),
}
