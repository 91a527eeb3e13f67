"""Generation of the catalogue's rows from Amazon's models and the reviewed overrides: equal inputs give equal rows."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sellergate_amazon.catalogue_file import check_row
from sellergate_amazon.data_files import DataFileError
from sellergate_amazon.models.extraction import rows_of
from sellergate_amazon.models.files import Model, read_models
from sellergate_amazon.models.overrides import Overrides
from sellergate_amazon.models.responses import success, token_place

# The defaults of rows in the overrides.
_PLAIN: Mapping[str, Any] = {
    "rate": None,
    "burst": None,
    "rate_source": None,
    "restricted": False,
    "restricted_data_elements": [],
    "restricted_basis": None,
    "grantless_scope": None,
    "deprecated": False,
    "paginated_by": None,
    "next_token_path": None,
    "sandbox": None,
    "sandbox_only": False,
    "success_status": 200,
    "envelope": "bare",
}

# The token of getQuery is for createQuery, which starts another query whose document is the next page.
_NOT_OF_PAGES = frozenset({"data-kiosk/2023-11-15/getQuery"})


@dataclass(frozen=True, slots=True)
class Made:
    """A new catalogue."""

    rows: tuple[dict[str, Any], ...]
    """Rows, sorted by name."""
    notes: tuple[str, ...]
    """Findings that a reviewer of the overrides should check."""


def made(folder: Path, overrides: Overrides) -> Made:
    """Return the catalogue of a folder of models. Raises DataFileError that names file and entry."""
    notes: list[str] = []
    models = read_models(folder)
    rows = [row for model in models for row in rows_of(model, overrides.api_names)]
    places = {(row["method"], row["path"]) for row in rows}
    for added in overrides.added:
        if (added.get("method"), added.get("path")) in places:
            notes.append(
                f"{added['method']} {added['path']}: the models have it now; the override that adds it is no longer needed"
            )
        else:
            rows.append({**_PLAIN, **added})
    found = overrides.applied(_named(rows), notes)
    by_place: dict[tuple[str, str], str] = {}
    for number, row in enumerate(found, start=1):
        check_row(folder, number, row)
        other = by_place.setdefault((row["method"], row["path"]), row["name"])
        if other != row["name"]:
            raise DataFileError(folder, row["name"], f"has the method and path of {other}")
    notes += _without_scope(models, found)
    notes += _without_pages(models, found)
    return Made(tuple(sorted(found, key=lambda row: str(row["name"]))), tuple(sorted(notes)))


def _without_scope(models: Iterable[Model], rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return a note for each grantless operation without a scope in the overrides; models name no scopes."""
    stated = {
        (method, path)
        for model in models
        for method, path, operation, _ in model.operations()
        if " is grantless" in str(operation.get("description", ""))
    }
    return [
        f"{row['name']}: its model says that it is grantless, and no override names the scope"
        for row in rows
        if row["grantless_scope"] is None and (row["method"], row["path"]) in stated
    ]


def _without_pages(models: Iterable[Model], rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return a note for each operation whose response has the token of a next page, and that has no paging rule."""
    places = {
        (method, path): place
        for model in models
        for method, path, operation, _ in model.operations()
        if (found := success(model, operation)) is not None and (place := token_place(model, found))
    }
    return [
        f"{row['name']}: its response has the token of a next page ({place}), and neither the model nor an override says"
        " what takes it"
        for row in rows
        if row["paginated_by"] is None
        and row["name"] not in _NOT_OF_PAGES
        and (place := places.get((row["method"], row["path"])))
    ]


def _named(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows with unique names; rows with equal names, such as one ID with POST and PUT, get the method added."""
    rows = list(rows)
    plain = Counter(map(_plain_name, rows))
    return [{"name": f"{name}:{row['method']}" if plain[name := _plain_name(row)] > 1 else name, **row} for row in rows]


def _plain_name(row: Mapping[str, Any]) -> str:
    return f"{row.get('api')}/{row.get('version')}/{row.get('operation_id')}"
