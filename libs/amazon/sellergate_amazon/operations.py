"""The catalogue: the 370 operations of the Selling Partner API and how a request finds its own.

The rows are made by `scripts/make_operations.py` from Amazon's models (August 2026), Amazon's SDK limits and its
guides to restricted and grantless operations. What those lack stands in `overrides.json`, reviewed by hand, each row with
its source: limits of a whole application, kinds of documents, days of removal, and POSTs that are safe to repeat.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import quote

from sellergate_amazon.routes import Routes, parameter_name

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
    """Calls per second for a pair of application and selling partner; None where Amazon says nothing."""
    burst: int | None
    """Calls that a full bucket holds; None where Amazon says nothing."""
    rate_source: str | None
    """"model", "sdk" (the defaults of Amazon's own SDK), or None."""
    restricted: bool
    """Shows personal data to a Restricted Data Token alone."""
    restricted_data_elements: tuple[str, ...]
    """The data elements that such a token may name for this operation."""
    restricted_basis: str | None
    """"conditional" (only some report types), "ambiguous" (Amazon's pages disagree), or None: plainly so."""
    grantless_scope: str | None
    """The LWA scope of a token without a seller, for operations that want one."""
    deprecated: bool
    """As the model says, or Amazon has told the day of its removal (the model says so too rarely)."""
    paginated_by: str | None
    """The query parameter that asks for the next page."""
    next_token_path: str | None
    """Where the answer carries the value for it, as in "payload.NextToken"."""
    sandbox: str | None
    """"static", "dynamic", or None: not in the sandbox."""
    sandbox_only: bool
    success_status: int
    envelope: str | None
    """What a successful answer is: "payload" (an object with `payload`), "bare", "array", or None: no body."""
    application_rate: float | None = None
    """Calls per second of an application for all its sellers together; None where Amazon names no such limit."""
    application_burst: int | None = None
    """What such a bucket holds. Amazon does not say; one second's calls."""
    document: str | None = None
    """"REPORT", "FEED" or "DATA_KIOSK": the answer holds the address of such a document."""
    removal_date: str | None = None
    """The day on which Amazon removes it ("2027-03-27"), where that was told."""
    next_keeps: tuple[str, ...] | None = None
    """The parameters that may accompany the token of a next page; None: all of the first page's."""
    next_sets: tuple[tuple[str, str], ...] = ()
    """Parameters that must accompany it, whatever the first page's were."""
    pages_in_body: bool = False
    """It pages by `pagination.offset` in the body."""
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
        segments = (self._expanded(segment, path_params) for segment in self.path.split("/"))
        return "/".join(segments)

    def _expanded(self, segment: str, path_params: Mapping[str, str]) -> str:
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
    """The operation that a request asks for."""

    operation: Operation
    path_params: Mapping[str, str]
    """Decoded values by name."""


class Catalogue:
    """All operations, found by name or by method and path. Immutable."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        """Raise ValueError when two operations have one name or answer one method and path."""
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
        """Return the catalogue of this package, read on the first call and the same object ever after."""
        return _load()

    def match(self, method: str, encoded_path: str) -> Match | None:
        """Return the operation of a method ("GET") and a percent-encoded path without query, or None.

        Static segments win over parameters; an empty segment is no parameter. Any strings may be asked for.
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
    rows = [*_read("operations.json")]
    overrides = {row["operation"]: row for row in _read("overrides.json")}
    return Catalogue(merged(rows, overrides))


def merged(rows: Iterable[Mapping[str, Any]], overrides: Mapping[str, Mapping[str, Any]]) -> Iterator[Operation]:
    """Yield the operations of Amazon's data, corrected. Raises ValueError for a correction of nothing or without a source."""
    left = dict(overrides)
    for row in rows:
        given = dict(left.pop(row["name"], {"source": "none"}))
        if not given.pop("source", ""):
            raise ValueError(f"the override of {row['name']} names no source")
        given.pop("operation", None)
        elements = tuple(row["restricted_data_elements"])
        deprecated = row["deprecated"] or "removal_date" in given
        if "next_keeps" in given:
            given["next_keeps"] = tuple(given["next_keeps"])
        given["next_sets"] = tuple(given.get("next_sets", {}).items())
        yield Operation(**{**row, "restricted_data_elements": elements, "deprecated": deprecated, **given})
    if left:
        raise ValueError(f"there is no operation {min(left)} to override")


def _read(name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(files("sellergate_amazon").joinpath(name).read_text("utf-8"))
    return rows
