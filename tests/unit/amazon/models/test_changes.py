"""Ten changes in models are each reported once, and no others are."""

import copy
from pathlib import Path
from typing import Any

from sellergate_amazon.models.changes import changes
from sellergate_amazon.models.making import made
from sellergate_amazon.models.overrides import Overrides
from sellergate_amazon.operations import Catalogue

from tests.fakes.amazon_models import operation, orders, query, stock, usage_plan, write_models, write_overrides

ORDERS = "/orders/2030-01-01/orders"
BEFORE = {"orders": orders(), "stock": stock()}


def catalogue(folder: Path, models: dict[str, dict[str, Any]]) -> Catalogue:
    folder.mkdir()
    overrides = Overrides.read(write_overrides(folder))
    return Catalogue.of_rows(made(write_models(folder, **models), overrides).rows)


def test_ten_planted_changes_are_reported_as_exactly_ten(tmp_path: Path) -> None:
    after = copy.deepcopy(BEFORE)
    paths, items = after["orders"]["paths"], after["stock"]["paths"]["/stock/v1/items"]
    paths["/orders/2030-01-01/new"] = {"get": operation("getNew")}
    del paths["/orders/2030-01-01/old"]
    paths["/orders/2030-01-01/notes/{orderId}"] = paths.pop(f"{ORDERS}/{{orderId}}/notes")
    paths[ORDERS]["get"]["description"] = usage_plan(0.25, 15)
    paths[ORDERS]["post"]["description"] = usage_plan(2, 8)
    paths[f"{ORDERS}/{{orderId}}/buyer"]["get"]["description"] = "This call requires a restricted data token."
    paths["/orders/2030-01-01/link"]["x-amzn-api-sandbox-only"] = False
    paths["/orders/2030-01-01/link"]["put"]["x-amzn-api-sandbox-only"] = True
    paths[f"{ORDERS}/{{orderId}}"]["get"]["parameters"] = [query("includedData", required=True)]
    paths[f"{ORDERS}/{{orderId}}"]["delete"]["deprecated"] = True
    items["put"]["responses"] = {"200": {"description": "Done."}}
    found = changes(catalogue(tmp_path / "before", BEFORE), catalogue(tmp_path / "after", after))
    orders_api = "orders/2030-01-01"
    assert [(one.kind, one.operation, one.before, one.after) for one in found] == [
        ("DEPRECATED", f"{orders_api}/cancelOrder", "false", "true"),
        ("BURST", f"{orders_api}/createOrder", "4", "8"),
        ("RESTRICTED", f"{orders_api}/getBuyer", "false", "true"),
        ("NEW", f"{orders_api}/getNew", "", "GET /orders/2030-01-01/new"),
        (
            "MOVED",
            f"{orders_api}/getNotes",
            f"GET {ORDERS}/{{orderId}}/notes",
            "GET /orders/2030-01-01/notes/{orderId}",
        ),
        ("REMOVED", f"{orders_api}/getOld", "GET /orders/2030-01-01/old", ""),
        ("PARAMETERS", f"{orders_api}/getOrder", "", "query:includedData!"),
        ("SANDBOX", f"{orders_api}/link:POST", "true", "false"),
        ("RATE", f"{orders_api}/listOrders", "0.5", "0.25"),
        ("RESPONSE", "stock/v1/putItems", "202", "200"),
    ]


def test_equal_catalogues_have_no_changes(tmp_path: Path) -> None:
    assert changes(catalogue(tmp_path / "a", BEFORE), catalogue(tmp_path / "b", BEFORE)) == []


def test_a_path_that_got_another_name_has_moved(tmp_path: Path) -> None:
    after = copy.deepcopy(BEFORE)
    after["orders"]["paths"]["/orders/2030-01-01/old"]["get"]["operationId"] = "getAged"
    (found,) = changes(catalogue(tmp_path / "a", BEFORE), catalogue(tmp_path / "b", after))
    assert (found.kind, found.operation) == ("MOVED", "orders/2030-01-01/getOld")
    assert found.after == "orders/2030-01-01/getAged: GET /orders/2030-01-01/old"


def test_a_catalogue_of_before_parameters_were_recorded_says_nothing_about_them(tmp_path: Path) -> None:
    new = catalogue(tmp_path / "a", BEFORE)
    old = Catalogue.read(_without_parameters(tmp_path))
    assert changes(old, new) == []


def _without_parameters(folder: Path) -> Path:
    import json

    overrides = Overrides.read(write_overrides(folder))
    rows = made(write_models(folder, **BEFORE), overrides).rows
    file = folder / "old.json"
    file.write_text(json.dumps([{fact: value for fact, value in row.items() if fact != "parameters"} for row in rows]))
    return file
