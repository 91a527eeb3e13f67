"""Extraction of the catalogue's rows from one model: only facts that Amazon's file states."""

import re
from collections.abc import Mapping
from typing import Any

from sellergate_amazon.data_files import DataFileError
from sellergate_amazon.models.files import Model
from sellergate_amazon.models.responses import envelope, page_list, pagination, success

_RATE = "Rate (requests per second)"
_NUMBER = re.compile(r"\d{0,9}\.?\d{1,9}")
# Today no model states this; Amazon's guide to the Tokens API does (see the overrides).
_RESTRICTED = re.compile(r"\bis a restricted operation\b|\brequires? an? restricted data token\b", re.IGNORECASE)
_STATIC = ("x-amzn-api-sandbox", "x-amazon-spds-sandbox-behaviors")
_VERSION = re.compile(r"[-_]?[Vv]?(?:\d{4}-\d{2}-\d{2}|\d{1,2})$")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def rows_of(model: Model, api_names: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return one row for each operation. Raises DataFileError that names the operation without an OpenAPI shape.

    `api_names`: names of APIs whose file name is unsuitable.
    """
    api = api_of(model, api_names)
    rows = []
    for method, path, operation, item in model.operations():
        try:
            rows.append(_row(model, api, method, path, operation, item))
        except (TypeError, AttributeError, KeyError, RecursionError) as error:
            fault = f"does not have the shape of an OpenAPI operation ({type(error).__name__})"
            raise DataFileError(model.file, f"{method} {path}", fault) from None
    return rows


def api_of(model: Model, api_names: Mapping[str, str]) -> str:
    """Return the name of a model's API: "catalog-items" of catalogItems_2022-04-01.json."""
    stem = _VERSION.sub("", model.file.stem)
    name = _HUMP.sub("-", stem).lower()
    return api_names.get(name, name)


def usage_plan(description: str) -> tuple[float, int] | None:
    """Return the rate (calls a second) and burst of the usage plan in a description, or None.

    In a table with several plans the first one is the default and counts. A plan with "n" in place of numbers is none.
    """
    # Some models escape line ends twice.
    lines = description.replace("\\n", "\n").split("\n")
    head = next((number for number, line in enumerate(lines) if _RATE in line and "Burst" in line), None)
    if head is None:
        return None
    rate_at = next((place for place, name in enumerate(_cells(lines[head])) if name.startswith("Rate")), 0)
    for line in lines[head + 1 :]:
        if "|" not in line:
            return None
        cells = _cells(line)
        if len(cells) > rate_at + 1 and not set(cells[rate_at]) <= set("-: "):
            rate, burst = cells[rate_at], cells[rate_at + 1]
            numbers = _NUMBER.fullmatch(rate) and _NUMBER.fullmatch(burst)
            return (float(rate), int(float(burst))) if numbers else None
    return None


def _row(
    model: Model, api: str, method: str, path: str, operation: Mapping[str, Any], item: Mapping[str, Any]
) -> dict[str, Any]:
    found = success(model, operation)
    if found is None:
        raise DataFileError(model.file, f"{method} {path}", "has no 2xx response")
    parameters = _parameters(model, operation, item)
    description = str(operation.get("description", ""))
    plan = usage_plan(description)
    pages = pagination(model, [name for place, name, _ in parameters if place == "query"], found)
    row = {
        "api": api,
        "version": model.version,
        "operation_id": operation["operationId"],
        "method": method,
        "path": path,
        "rate": plan[0] if plan else None,
        "burst": plan[1] if plan else None,
        "rate_source": "model" if plan else None,
        "restricted": _RESTRICTED.search(description) is not None,
        "restricted_data_elements": [],
        "restricted_basis": None,
        "grantless_scope": None,
        "deprecated": bool(operation.get("deprecated", False)),
        "paginated_by": pages[0] if pages else None,
        "next_token_path": pages[1] if pages else None,
        "sandbox": _sandbox(model, operation, item),
        "sandbox_only": bool(operation.get("x-amzn-api-sandbox-only") or item.get("x-amzn-api-sandbox-only")),
        "success_status": found.status,
        "envelope": envelope(model, found),
        "parameters": [f"{place}:{name}{'!' if required else ''}" for place, name, required in parameters],
    }
    listed = page_list(model, found) if pages else None
    return row if listed is None else {**row, "page_list": listed}


def _parameters(model: Model, operation: Mapping[str, Any], item: Mapping[str, Any]) -> list[tuple[str, str, bool]]:
    """Return the place and name of each parameter, and whether it is required, sorted. A body of any name is "body"."""
    found: dict[tuple[str, str], bool] = {}
    for node in (*item.get("parameters", ()), *operation.get("parameters", ())):
        parameter = model.resolved(node)
        place = str(parameter.get("in", ""))
        name = "body" if place == "body" else str(parameter.get("name", ""))
        found[place, name] = bool(parameter.get("required", False))
    if "requestBody" in operation:
        found["body", "body"] = bool(model.resolved(operation["requestBody"]).get("required", False))
    return sorted((place, name, required) for (place, name), required in found.items())


def _sandbox(model: Model, operation: Mapping[str, Any], item: Mapping[str, Any]) -> str | None:
    """Return the kind of the sandbox: "dynamic", "static", or None."""
    if any("dynamic" in (node.get("x-amzn-api-sandbox") or {}) for node in (operation, item)):
        return "dynamic"
    responses = (model.resolved(response) for response in operation["responses"].values())
    return "static" if any(name in response for response in responses for name in _STATIC) else None


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]
