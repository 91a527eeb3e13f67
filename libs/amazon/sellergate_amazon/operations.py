"""The catalogue: the operations of the Selling Partner API, and how a request finds its own.

`make catalogue` writes its rows (`operations.json`) from Amazon's models and from `models/overrides.json`, the reviewed facts
that the models lack. An operator may give a newer file of the same shape.
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

# `{resource}` stands for a path of its own, "messaging/v1/orders/{id}/messages/..." (Amazon's Uploads model).
_SPANS_SLASHES = frozenset({"uploads/2020-11-01/createUploadDestinationForResource"})

_IDEMPOTENT_METHODS = frozenset({"GET", "HEAD", "PUT", "DELETE"})


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """One operation as Amazon's model describes it. There is one object of each, so that it is compared by identity."""

    name: str
    """Its name in this project: "orders/2026-01-01/searchOrders"."""
    api: str
    version: str
    operation_id: str
    method: str
    path: str
    """Template below the host: "/orders/v0/orders/{orderId}"."""
    rate: float | None
    """Calls per second for a pair of application and selling partner; None where Amazon publishes none."""
    burst: int | None
    """Calls that a full bucket holds; None where Amazon publishes none."""
    rate_source: str | None
    """"model", "sdk" (the defaults of Amazon's own SDK), or None."""
    restricted: bool
    """Shows personal data only to a Restricted Data Token."""
    restricted_data_elements: tuple[str, ...]
    """The data elements that such a token may name for this operation."""
    restricted_basis: str | None
    """"conditional" (only some report types), "ambiguous" (Amazon's pages disagree), or None: plainly so."""
    grantless_scope: str | None
    """The LWA scope of a token without a seller, for operations that want one."""
    deprecated: bool
    """As the model says, or Amazon has announced the day of its removal (models rarely mark that)."""
    paginated_by: str | None
    """The query parameter for the token of the next page; the member of the body where `pages_in_body`."""
    next_token_path: str | None
    """Where the response carries the value for it, as in "payload.NextToken"."""
    sandbox: str | None
    """"static", "dynamic", or None: not in the sandbox."""
    sandbox_only: bool
    success_status: int
    envelope: str | None
    """What a successful response is: "payload" (an object with `payload`), "bare", "array", or None: no body."""
    parameters: tuple[str, ...] | None = None
    """Place and name of each parameter ("query:MarketplaceIds!", the `!` where it is required); None: not recorded."""
    application_rate: float | None = None
    """Calls per second of an application for all its sellers together; None where Amazon names no such limit."""
    application_burst: int | None = None
    """What such a bucket holds. Amazon does not say; one second's calls."""
    document: str | None = None
    """"REPORT", "FEED" or "DATA_KIOSK": the response holds the address of such a document."""
    removal_date: str | None = None
    """The day on which Amazon removes it ("2027-03-27"), where Amazon has announced one."""
    next_keeps: tuple[str, ...] | None = None
    """The parameters that may accompany the token of a next page; None: all of the first page's."""
    next_sets: tuple[tuple[str, str], ...] = ()
    """Parameters that must accompany it, whatever the first page's were."""
    next_operation: str | None = None
    """The operation that gives the next page, where that is another one; its path has no parameters."""
    pages_in_body: bool = False
    """It pages in the body: by the member `paginated_by`, or by `pagination.offset` where there is none."""
    repeatable: bool = False
    """A POST or PATCH that may be sent again all the same."""

    @property
    def idempotent(self) -> bool:
        """Whether a call may be sent again without doing more than one call does (RFC 9110 §9.2.2, or a known exception)."""
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
        """Return the percent-encoded path with these values in it.

        Raises ValueError naming a parameter that is missing, unknown, empty, a dot segment (every HTTP client
        would remove it from the path) or not text that UTF-8 can carry.
        """
        unknown = sorted(set(path_params) - set(self.parameter_names))
        if unknown:
            raise ValueError(f"{self.name} has no path parameter {unknown[0]!r}")
        segments = (self._expand_segment(segment, path_params) for segment in self.path.split("/"))
        return "/".join(segments)

    def _expand_segment(self, segment: str, path_params: Mapping[str, str]) -> str:
        name = parameter_name(segment)
        if name is None:
            return segment
        if name not in path_params:
            raise ValueError(f"{self.name} needs the path parameter {name!r}")
        value = path_params[name]
        if value in {"", ".", ".."}:
            raise ValueError(f"the path parameter {name!r} may not be {value!r}")
        try:
            return quote(value, safe="")
        except UnicodeEncodeError:
            raise ValueError(f"the path parameter {name!r} is not text that UTF-8 can carry") from None


@dataclass(frozen=True, slots=True)
class Match:
    """The operation of a request."""

    operation: Operation
    path_params: Mapping[str, str]
    """Decoded values by name."""


class Catalogue:
    """All operations, found by name or by method and path. Immutable."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        """Raise ValueError when two operations have one name, or one method and path."""
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
        """Return the catalogue of this release, read on the first call and the same object ever after."""
        return _load()

    @staticmethod
    def read(file: Path) -> "Catalogue":
        """Return the catalogue of a file. Raises DataFileError naming the file and the entry at fault."""
        rows = read_rows(file)
        try:
            return Catalogue.of_rows(rows)
        except ValueError as error:
            raise DataFileError(file, "", str(error)) from None

    @staticmethod
    def of_rows(rows: Iterable[Mapping[str, Any]]) -> "Catalogue":
        """Return the catalogue of rows that were checked. Raises ValueError as the constructor does."""
        return Catalogue(map(_operation, rows))

    def match(self, method: str, encoded_path: str) -> Match | None:
        """Return the operation of a method ("GET") and a percent-encoded path without query, or None.

        Static segments win over parameters; an empty segment is no parameter. Any strings may be given.
        """
        found = self._routes.find(method, encoded_path)
        return Match(*found) if found else None

    def get(self, name: str) -> Operation | None:
        """Return the operation of a full name, or of an operation id that only one operation has; else None."""
        return self._by_name.get(name) or self._by_id.get(name)

    def __iter__(self) -> Iterator[Operation]:
        return iter(self._by_name.values())

    def __len__(self) -> int:
        return len(self._by_name)


@cache
def _load() -> Catalogue:
    return Catalogue.read(BUNDLED)


def _operation(row: Mapping[str, Any]) -> Operation:
    """Return the operation of a row that was checked; arrays and objects become immutable."""
    facts: dict[str, Any] = {fact: tuple(value) if isinstance(value, list) else value for fact, value in row.items()}
    if "next_sets" in facts:
        facts["next_sets"] = tuple(facts["next_sets"].items())
    return Operation(**facts)
