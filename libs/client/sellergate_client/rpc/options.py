"""The options of a call: their names and types, checked before anything is sent."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Annotated, Any, TypedDict, get_type_hints

from sellergate_client.rpc.kinds import Rule, Seconds, Timeout, check_kind
from sellergate_client.rpc.query import Query

Headers = Annotated[
    Mapping[str, str] | Sequence[tuple[str, str]],
    Rule("a mapping of texts to texts, or a list of pairs of texts, as in [(name, value)]"),
]


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
    max_wait: Seconds | None
    batch: bool
    sandbox: bool | None
    restricted_resources: Annotated[
        Sequence[tuple[str, str, Sequence[str]]], Rule("a list of (method, path, data elements)")
    ]
    token_kind: str


class Body(TypedDict, total=False):
    """The content of a call: `json` to encode, or `body` with its `content_type`; `query` to encode, or `raw_query` unchanged."""

    query: Query | None
    raw_query: str | None
    body: Annotated[bytes, Rule("bytes (encode a text, or give a document as json)")]
    json: Any
    content_type: str


class CallOptions(Options, Body, total=False):
    """All options of a call except account, method and path."""


class ListOptions(Options, total=False):
    """The options of a list in pages. `raw_query` replaces `params`."""

    raw_query: str | None


class PartnerOptions(ListOptions, total=False):
    """The options of a seller's call. `seconds` bound it; by default those of the SellingPartner."""

    seconds: Timeout


class WriteOptions(PartnerOptions, total=False):
    """The options of a seller's write. `body`, with its `content_type`, replaces `json`."""

    body: Annotated[bytes, Rule("bytes (encode a text, or give a document as json)")]
    content_type: str


class PartnerCallOptions(CallOptions, total=False):
    """All options of a seller's call except method and path."""

    seconds: Timeout


CALL_NAMES = frozenset(CallOptions.__annotations__)
# Refused by InvalidRequest, which names the field within them.
REFUSED_BY_FIELD = frozenset({"query", "json"})
_KINDS = get_type_hints(CallOptions, include_extras=True)
# The names by which other HTTP clients, and other methods here, call these options.
_SYNONYMS = {"timeout": "seconds", "data": "body", "content": "body", "params": "query", "query": "params"}


def check_names(method: str, given: Iterable[str], allowed: AbstractSet[str] = CALL_NAMES) -> None:
    """Raise TypeError for an unknown option of `method`; it names the option and the nearest one that exists."""
    for name in given:
        if name not in allowed:
            synonym = _SYNONYMS.get(name)
            nearest = [synonym] if synonym in allowed else difflib.get_close_matches(name, sorted(allowed), 1)
            hint = f"did you mean {nearest[0]}?" if nearest else f"it takes {', '.join(sorted(allowed))}"
            raise TypeError(f"{method}() has no option {name}; {hint}")


def check_types(options: Mapping[str, Any]) -> None:
    """Raise TypeError for an option of a wrong type; it names the option."""
    for name, value in options.items():
        if name not in REFUSED_BY_FIELD:
            check_kind(name, _KINDS[name], value)


def header_pairs(headers: Headers) -> list[tuple[str, str]]:
    """Return headers as pairs of name and value."""
    return list(headers.items() if isinstance(headers, Mapping) else headers)


def refuse_unnamed(method: str, unnamed: Sequence[Any]) -> None:
    """Raise TypeError for an unnamed argument of a write after its path: it could be meant as body or as query."""
    if unnamed:
        raise TypeError(
            f"{method}() takes only the path without a name; write {method}(path, json=…) for a body,"
            f" or {method}(path, params=…) for a query"
        )
