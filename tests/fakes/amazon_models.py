"""A small folder of model files in Amazon's form (OpenAPI 2 and 3), for tests that read or change them."""

import json
from pathlib import Path
from typing import Any

NO_OVERRIDES = {"api_names": {}, "added": [], "facts": []}


def usage_plan(rate: object, burst: object) -> str:
    """Return a description with a usage plan."""
    return f"Reads.\n\n**Usage Plan:**\n\n| Rate (requests per second) | Burst |\n| ---- | ---- |\n| {rate} | {burst} |\n\nMore."


def operation(
    name: str, *, description: str = "", status: str = "200", schema: Any = None, **more: Any
) -> dict[str, Any]:
    """Return an operation of OpenAPI 2."""
    response = {"description": "Success."} | ({"schema": schema} if schema is not None else {})
    return {"operationId": name, "description": description, "responses": {status: response}} | more


def query(name: str, *, required: bool = False) -> dict[str, Any]:
    """Return a query parameter of OpenAPI 2."""
    return {"name": name, "in": "query", "required": required, "type": "string"}


def orders() -> dict[str, Any]:
    """Return a model in OpenAPI 2 with nine operations."""
    reference, order = {"$ref": "#/definitions/Orders"}, {"properties": {"payload": {"type": "object"}}}
    return {
        "swagger": "2.0",
        "info": {"title": "Orders", "version": "2030-01-01"},
        "paths": {
            "/orders/2030-01-01/orders": {
                "get": operation(
                    "listOrders",
                    description=usage_plan(0.5, 15),
                    schema=reference,
                    parameters=[query("marketplaceIds", required=True), {"$ref": "#/parameters/nextToken"}],
                ),
                "post": operation("createOrder", description=usage_plan(2, 4), status="201", schema={"type": "object"}),
            },
            "/orders/2030-01-01/orders/{orderId}": {
                "parameters": [{"name": "orderId", "in": "path", "required": True, "type": "string"}],
                "get": operation("getOrder", description=usage_plan(".5", 30), schema=order),
                "delete": operation("cancelOrder", status="204"),
            },
            "/orders/2030-01-01/orders/{orderId}/buyer": {"get": operation("getBuyer", schema=order)},
            "/orders/2030-01-01/orders/{orderId}/notes": {"get": operation("getNotes", schema={"type": "array"})},
            "/orders/2030-01-01/old": {"get": operation("getOld", schema={"type": "object"})},
            "/orders/2030-01-01/link": {
                "x-amzn-api-sandbox": {"dynamic": {}},
                "x-amzn-api-sandbox-only": True,
                "post": operation("link", schema={"type": "object"}),
                "put": operation("link", schema={"type": "object"}),
            },
        },
        "parameters": {"nextToken": query("nextToken")},
        "definitions": {
            "Orders": {"allOf": [{"$ref": "#/definitions/Page"}], "properties": {"orders": {"type": "array"}}},
            "Page": {"properties": {"payload": {"properties": {"pagination": {"$ref": "#/definitions/Next"}}}}},
            "Next": {"properties": {"nextToken": {"type": "string"}}},
        },
    }


def stock() -> dict[str, Any]:
    """Return a model in OpenAPI 3 with two operations."""
    schema = {"$ref": "#/components/schemas/Stock"}
    return {
        "openapi": "3.0.1",
        "info": {"title": "Stock", "version": "v1"},
        "paths": {
            "/stock/v1/items": {
                "get": {
                    "operationId": "listItems",
                    "description": usage_plan(1, 2),
                    "parameters": [{"name": "pageToken", "in": "query", "schema": {"type": "string"}}],
                    "responses": {"200": {"$ref": "#/components/responses/Stock"}, "404": {"description": "None."}},
                },
                "put": {
                    "operationId": "putItems",
                    "requestBody": {"required": True, "content": {"application/json": {}}},
                    "responses": {"202": {"description": "Taken."}},
                },
            }
        },
        "components": {
            "schemas": {"Stock": {"properties": {"nextPageToken": {"type": "string"}, "items": {"type": "array"}}}},
            "responses": {
                "Stock": {
                    "description": "Items.",
                    "x-amzn-api-sandbox": {"static": [{}]},
                    "content": {"text/html": {"schema": {}}, "application/json": {"schema": schema}},
                }
            },
        },
    }


def write_models(folder: Path, **models: dict[str, Any]) -> Path:
    """Write each model into its own folder, as `warehouseOrders_2030-01-01.json`; return their parent folder."""
    for name, document in models.items():
        place = folder / "models" / f"{name}-api-model"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{name}_{document['info']['version']}.json").write_text(json.dumps(document), "utf-8")
    return folder / "models"


def write_overrides(folder: Path, **sections: Any) -> Path:
    """Write a file of overrides and return it."""
    file = folder / "overrides.json"
    file.write_text(json.dumps(NO_OVERRIDES | sections), "utf-8")
    return file
