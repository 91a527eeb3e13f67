"""The catalogue: the operations of the Selling Partner API, found by name or by request.

`make catalogue` writes its rows (`operations.json`) from Amazon's models and from `models/overrides.json`, the reviewed facts
that the models lack. An operator may provide a newer file of the same shape.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sellergate_amazon.catalogue_file import read_rows
from sellergate_amazon.data_files import DataFileError
from sellergate_amazon.routes import Routes, parameter_name

BUNDLED = Path(__file__).with_name("operations.json")
"""The catalogue that is part of this release."""

# `{resource}` is a path of several segments, "messaging/v1/orders/{id}/messages/..." (Amazon's Uploads model).
_SPANS_SLASHES = frozenset({"uploads/2020-11-01/createUploadDestinationForResource"})

_IDEMPOTENT_METHODS = frozenset({"GET", "HEAD", "PUT", "DELETE"})


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """One operation of SP-API. Each has one object, so operations are compared by identity."""

    name: str
    """The name in this project: "orders/2026-01-01/searchOrders"."""
    api: str
    version: str
    operation_id: str
    method: str
    path: str
    """The path template: "/orders/v0/orders/{orderId}"."""
    rate: float | None
    """Calls per second for a pair of application and selling partner; None where Amazon publishes none."""
    burst: int | None
    """Calls that a full bucket holds; None where Amazon publishes none."""
    rate_source: str | None
    """"model", "sdk" (the defaults of Amazon's own SDK), or None."""
    restricted: bool
    """Whether personal data require a Restricted Data Token."""
    restricted_data_elements: tuple[str, ...]
    """The data elements that a Restricted Data Token may name for this operation."""
    restricted_basis: str | None
    """"conditional" (only some report types), "ambiguous" (Amazon's pages disagree), or None: without exception."""
    grantless_scope: str | None
    """The LWA scope of grantless operations; None for all others."""
    deprecated: bool
    """Whether the model marks it as deprecated, or Amazon has announced its removal (models rarely say so)."""
    paginated_by: str | None
    """The query parameter for the token of the next page; the member of the body where `pages_in_body`."""
    next_token_path: str | None
    """The path of the token in the response, as in "payload.NextToken"."""
    sandbox: str | None
    """The kind of the sandbox: "static", "dynamic", or None without one."""
    sandbox_only: bool
    success_status: int
    envelope: str | None
    """The shape of a successful response: "payload" (an object with `payload`), "bare", "array", or None: no body."""
    parameters: tuple[str, ...] | None = None
    """Place and name of each parameter ("query:MarketplaceIds!", the `!` where it is required); None: not recorded."""
    application_rate: float | None = None
    """Calls per second of an application for all of its sellers; None where Amazon names no such limit."""
    application_burst: int | None = None
    """The burst of that limit, which Amazon does not state: one second's calls."""
    document: str | None = None
    """"REPORT", "FEED" or "DATA_KIOSK": the response holds the address of such a document."""
    removal_date: str | None = None
    """The announced day of the removal by Amazon ("2027-03-27"); None without one."""
    page_list: str | None = None
    """The path of the list that every page has, as in "payload.Orders"; None where the model lets a page be without it."""
    next_keeps: tuple[str, ...] | None = None
    """The parameters that may accompany a next page token; None: all of the first page's."""
    next_sets: tuple[tuple[str, str], ...] = ()
    """The parameters that must accompany a next page token, whatever the first page's were."""
    next_operation: str | None = None
    """The operation that gives the next page, where that is another one; its path has no parameters."""
    pages_in_body: bool = False
    """Whether pages are requested in the body: by the member `paginated_by`, or else by `pagination.offset`."""
    repeatable: bool = False
    """Whether a POST or PATCH may be repeated nevertheless."""

    @property
    def idempotent(self) -> bool:
        """Whether repeated calls have the effect of one call (RFC 9110 §9.2.2, or a known exception)."""
        return self.repeatable or self.method in _IDEMPOTENT_METHODS

    @property
    def spans_slashes(self) -> bool:
        """Whether the last path parameter may contain slashes."""
        return self.name in _SPANS_SLASHES

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """The path parameters in the order of the template."""
        names = (parameter_name(segment) for segment in self.path.split("/"))
        return tuple(name for name in names if name is not None)

    def expand(self, path_params: Mapping[str, str]) -> str:
        """Return the percent-encoded path with these values. The slashes of a value that spans segments stay.

        Raises ValueError that names a parameter that is missing, unknown, or not valid UTF-8 text, or that has an empty or a dot
        segment (every HTTP client would remove it from the path).
        """
        unknown = sorted(set(path_params) - set(self.parameter_names))
        if unknown:
            raise ValueError(f"{self.name} has no path parameter {unknown[0]!r}")
        *segments, last = self.path.split("/")
        expanded = [self._expand_segment(segment, path_params) for segment in segments]
        return "/".join([*expanded, self._expand_segment(last, path_params, spans=self.spans_slashes)])

    def _expand_segment(self, segment: str, path_params: Mapping[str, str], *, spans: bool = False) -> str:
        name = parameter_name(segment)
        if name is None:
            return segment
        if name not in path_params:
            raise ValueError(f"{self.name} needs the path parameter {name!r}")
        value = path_params[name]
        wrong = [part for part in (value.split("/") if spans else [value]) if part in {"", ".", ".."}]
        if wrong:
            where = " have a segment" if spans else " be"
            raise ValueError(f"the path parameter {name!r} may not{where} {wrong[0]!r}")
        try:
            return quote(value, safe="/" if spans else "")
        except UnicodeEncodeError:
            raise ValueError(f"the path parameter {name!r} is not valid UTF-8 text") from None


@dataclass(frozen=True, slots=True)
class Match:
    """The operation of a request, with its path parameters."""

    operation: Operation
    path_params: Mapping[str, str]
    """Decoded parameter values by name."""


class Catalogue:
    """All operations, found by name or by method and path. Immutable."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        """Raise ValueError when two operations have the same name, or the same method and path."""
        self._by_name: dict[str, Operation] = {}
        self._by_id: dict[str, Operation | None] = {}
        self._routes: Routes[Operation] = Routes()
        for operation in operations:
            if operation.name in self._by_name:
                raise ValueError(f"two operations are called {operation.name}")
            self._by_name[operation.name] = operation
            known = operation.operation_id in self._by_id
            self._by_id[operation.operation_id] = None if known else operation
            self._routes.add(operation.method, operation.path, operation, spans_slashes=operation.spans_slashes)

    @staticmethod
    def load() -> "Catalogue":
        """Return the catalogue of this release; later calls return the same object."""
        return _load()

    @staticmethod
    def read(file: Path) -> "Catalogue":
        """Return the catalogue of a file. Raises DataFileError that names the file and the invalid entry."""
        rows = read_rows(file)
        try:
            return Catalogue.of_rows(rows)
        except ValueError as error:
            raise DataFileError(file, "", str(error)) from None

    @staticmethod
    def of_rows(rows: Iterable[Mapping[str, Any]]) -> "Catalogue":
        """Return the catalogue of checked rows. Raises ValueError as the constructor does."""
        return Catalogue(map(_operation, rows))

    def match(self, method: str, encoded_path: str) -> Match | None:
        """Return the operation of a method ("GET") and a percent-encoded path without query, or None.

        Static segments take precedence over parameters; an empty segment is not a parameter. Any strings are accepted.
        """
        found = self._routes.find(method, encoded_path)
        return Match(*found) if found else None

    def get(self, name: str) -> Operation | None:
        """Return the operation of a full name or of a unique operation ID; else None."""
        return self._by_name.get(name) or self._by_id.get(name)

    def __iter__(self) -> Iterator[Operation]:
        return iter(self._by_name.values())

    def __len__(self) -> int:
        return len(self._by_name)


@cache
def _load() -> Catalogue:
    return Catalogue.read(BUNDLED)


def _operation(row: Mapping[str, Any]) -> Operation:
    """Return the operation of a checked row; arrays and objects become immutable."""
    facts: dict[str, Any] = {fact: tuple(value) if isinstance(value, list) else value for fact, value in row.items()}
    if "next_sets" in facts:
        facts["next_sets"] = tuple(facts["next_sets"].items())
    return Operation(**facts)
