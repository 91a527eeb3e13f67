"""Rows hold the facts of a model, in OpenAPI 2 and in OpenAPI 3."""

from pathlib import Path
from typing import Any

import pytest
from sellergate_amazon.data_files import DataFileError
from sellergate_amazon.models.extraction import api_of, rows_of, usage_plan
from sellergate_amazon.models.files import Model, read_models

from tests.fakes.amazon_models import operation, orders, stock, write_models
from tests.fakes.amazon_models import usage_plan as plan


def rows(tmp_path: Path, **models: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found = [row for model in read_models(write_models(tmp_path, **models)) for row in rows_of(model, {})]
    return {f"{row['method']} {row['operation_id']}": row for row in found}


def test_a_row_of_openapi_2(tmp_path: Path) -> None:
    found = rows(tmp_path, orders=orders())
    assert found["GET listOrders"] == {
        "api": "orders",
        "version": "2030-01-01",
        "operation_id": "listOrders",
        "method": "GET",
        "path": "/orders/2030-01-01/orders",
        "rate": 0.5,
        "burst": 15,
        "rate_source": "model",
        "restricted": False,
        "restricted_data_elements": [],
        "restricted_basis": None,
        "grantless_scope": None,
        "deprecated": False,
        "paginated_by": "nextToken",
        "next_token_path": "payload.pagination.nextToken",
        "sandbox": None,
        "sandbox_only": False,
        "success_status": 200,
        "envelope": "payload",
        "parameters": ["query:marketplaceIds!", "query:nextToken"],
    }
    assert found["GET getOrder"]["parameters"] == ["path:orderId!"]
    assert (found["GET getOrder"]["rate"], found["GET getOrder"]["burst"]) == (0.5, 30)
    assert (found["DELETE cancelOrder"]["success_status"], found["DELETE cancelOrder"]["envelope"]) == (204, None)
    assert found["GET getNotes"]["envelope"] == "array"
    assert found["POST createOrder"]["envelope"] == "bare"
    assert (found["PUT link"]["sandbox"], found["PUT link"]["sandbox_only"]) == ("dynamic", True)


def test_a_list_that_its_model_requires_is_recorded_for_pages_only(tmp_path: Path) -> None:
    document = orders()
    document["definitions"]["Page"]["properties"]["payload"]["allOf"] = [
        {"required": ["pagination", "notes", "missing"], "properties": {"notes": {"$ref": "#/definitions/Notes"}}}
    ]
    document["definitions"]["Notes"] = {"type": "array"}
    found = rows(tmp_path, orders=document)
    assert found["GET listOrders"]["page_list"] == "payload.notes"
    assert [name for name, row in found.items() if "page_list" in row] == ["GET listOrders"]
    document = stock()
    document["components"]["schemas"]["Stock"]["required"] = ["items"]
    assert rows(tmp_path, stock=document)["GET listItems"]["page_list"] == "items"


def test_rows_of_openapi_3(tmp_path: Path) -> None:
    found = rows(tmp_path, stock=stock())
    listed, put = found["GET listItems"], found["PUT putItems"]
    assert (listed["paginated_by"], listed["next_token_path"]) == ("pageToken", "nextPageToken")
    assert (listed["envelope"], listed["sandbox"], listed["rate"]) == ("bare", "static", 1.0)
    assert (put["parameters"], put["success_status"], put["envelope"]) == (["body:body!"], 202, None)


def test_restriction_and_deprecation_that_a_model_states(tmp_path: Path) -> None:
    document = orders()
    document["paths"]["/orders/2030-01-01/old"]["get"] = operation(
        "getOld", description="This call requires a Restricted Data Token.", deprecated=True
    )
    old = rows(tmp_path, orders=document)["GET getOld"]
    assert (old["restricted"], old["deprecated"]) == (True, True)


@pytest.mark.parametrize(
    ("description", "expected"),
    [
        (plan(0.0167, 20), (0.0167, 20)),
        (plan(".5", "15"), (0.5, 15)),
        (plan(10, 10).replace("\n", "\\n"), (10.0, 10)),
        (
            "| Plan type | Rate (requests per second) | Burst |\n| -- | -- | -- |\n|Default| 5 | 10 |\n|Other| V | V |",
            (5.0, 10),
        ),
        (plan("n", "n"), None),
        (plan("Variable", 3), None),
        ("| Rate (requests per second) | Burst |\n\nNo table.", None),
        ("| Rate (requests per second) | Burst |", None),
        ("Rates are high.", None),
        ("", None),
    ],
)
def test_usage_plans_as_amazon_writes_them(description: str, expected: tuple[float, int] | None) -> None:
    assert usage_plan(description) == expected


@pytest.mark.parametrize(
    ("file", "api"),
    [
        ("catalogItemsV0.json", "catalog-items"),
        ("catalogItems_2022-04-01.json", "catalog-items"),
        ("appIntegrations-2024-04-01.json", "app-integrations"),
        ("deliveryShipmentInvoiceV2022-07-01.json", "delivery-shipment-invoice"),
        ("shippingV2.json", "shipping"),
        ("sales.json", "sales"),
        ("fbaInbound.json", "fba-inbound-eligibility"),
    ],
)
def test_the_name_of_an_api_is_that_of_its_file_or_one_that_was_given(file: str, api: str) -> None:
    assert api_of(Model(Path(file), {}), {"fba-inbound": "fba-inbound-eligibility"}) == api


@pytest.mark.parametrize(
    "change",
    [
        {"parameters": 1},
        {"parameters": [{"$ref": "#/parameters/Missing"}]},
        {"responses": {"404": {}}},
        {"responses": {"200": {"schema": {"allOf": 1}}}},
        {"responses": {"200": {"content": []}, "201": 1}, "x-amzn-api-sandbox": True},
    ],
)
def test_an_operation_without_the_shape_of_one_is_refused_with_its_file(tmp_path: Path, change: dict[str, Any]) -> None:
    document = orders()
    document["paths"]["/orders/2030-01-01/old"]["get"].update(change)
    with pytest.raises(DataFileError) as caught:
        rows(tmp_path, orders=document)
    assert "orders_2030-01-01.json" in str(caught.value)
