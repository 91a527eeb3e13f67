"""The OpenAPI document for generated clients: stable operation ids, tags, typed problems, and known query parameters."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from sellergate_common.errors import Reason

from tests.contract.test_rest_api import TOKEN, app, send_request

__all__ = ["app"]

# Programs that were generated from the document call functions of these names: a name never changes.
OPERATION_IDS = {
    "applyRotation",
    "callSpApiDelete",
    "callSpApiGet",
    "callSpApiHead",
    "callSpApiPatch",
    "callSpApiPost",
    "callSpApiPut",
    "captureCalls",
    "changeAccount",
    "checkAccount",
    "completeAuthorization",
    "connectAccount",
    "createClient",
    "disconnectAccount",
    "endCapture",
    "fetchRecentOrders",
    "getAccount",
    "getQuotas",
    "getUser",
    "issueDropInToken",
    "listAccounts",
    "listApplications",
    "listAuditEvents",
    "listClients",
    "listOperations",
    "listRecentCalls",
    "redirectAppstoreLogin",
    "revokeClient",
    "startAuthorization",
    "verifyAccount",
}
BEARER = {"Authorization": f"Bearer {TOKEN}"}
# Amazon's or another system's query.
OTHERS_QUERIES = ("callSpApi", "completeAuthorization", "redirectAppstoreLogin", "issueDropInToken")


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def test_operation_ids_are_verbs_with_nouns_that_stay(app: FastAPI) -> None:
    ids = [operation["operationId"] for _, _, operation in operations(app.openapi())]
    assert len(ids) == len(set(ids))
    assert set(ids) == OPERATION_IDS
    assert all(re.fullmatch(r"[a-z]+([A-Z][a-z]+)+", one) for one in ids)


def test_every_operation_has_a_tag_that_is_described(app: FastAPI) -> None:
    document = app.openapi()
    assert document["openapi"].startswith("3.1")
    tags = {tag["name"] for tag in document["tags"] if tag["description"]}
    used = [operation["tags"] for _, _, operation in operations(document)]
    assert {tag for (tag,) in used} == tags


def test_problems_are_typed(app: FastAPI) -> None:
    schemas = app.openapi()["components"]["schemas"]
    problem = schemas["Problem"]["properties"]
    assert {"retryAfter", "violations", "stages", "errors", "amazonRequestId", "requestId"} <= problem.keys()
    assert {*Reason, "NOT_FOUND", "METHOD_NOT_ALLOWED"} <= set(problem["reason"]["enum"])
    assert problem["violations"]["items"] == {"$ref": "#/components/schemas/Violation"}
    assert problem["stages"]["items"] == {"$ref": "#/components/schemas/Stage"}
    assert schemas["Outcome"]["enum"] == ["OK", "CACHED", "SKIPPED", "WARNING", "FAILED"]
    assert not re.findall(r'"\$ref": "(?!#/components/schemas/)', str(schemas).replace("'", '"'))


def test_the_pass_through_takes_any_query_and_body(app: FastAPI) -> None:
    routes = app.openapi()["paths"]["/api/amazon/accounts/{account_id}/sp-api/{path}"]
    for method, operation in routes.items():
        (query,) = [one for one in operation["parameters"] if one["in"] == "query"]
        assert (query["style"], query["explode"], query["schema"]["type"]) == ("form", True, "object")
        assert operation["responses"]["2XX"]["content"]["application/json"] == {"schema": {}}
        assert ("requestBody" in operation) == (method not in ("get", "head"))


async def test_every_route_refuses_an_unknown_query_parameter(app: FastAPI) -> None:
    """The user is authenticated first, so an unsigned request shows nothing."""
    anonymous = await send_request(app, "GET", "/api/amazon/accounts?nope=1")
    assert anonymous.status_code == 401
    checked = set()
    for path, method, operation in operations(app.openapi()):
        if operation["operationId"].startswith(OTHERS_QUERIES):
            continue
        target = path.replace("{account_id}", "a").replace("{client_id}", "a")
        response = await send_request(app, method.upper(), f"{target}?nope=1", headers=BEARER, json={})
        assert response.status_code == 400, (method, path, response.text)
        assert response.json()["reason"] == "INVALID_REQUEST"
        assert [one["field"] for one in response.json()["violations"]] == ["nope"], (method, path)
        checked.add(operation["operationId"])
    assert {"listAccounts", "applyRotation", "disconnectAccount", "checkAccount"} <= checked
    misspelt = await send_request(app, "GET", "/api/amazon/accounts?marketplac=US", headers=BEARER)
    assert "use marketplace, or leave it out" in misspelt.json()["detail"]
    assert (await send_request(app, "GET", "/api/sign-in?nope=1")).status_code == 400


@pytest.mark.parametrize(
    ("method", "path", "reason"), [("GET", "/nope", "NOT_FOUND"), ("PUT", "/docs", "METHOD_NOT_ALLOWED")]
)
async def test_the_reasons_of_http_itself(app: FastAPI, method: str, path: str, reason: str) -> None:
    assert (await send_request(app, method, path)).json()["reason"] == reason
