"""The OpenAPI document: FastAPI's, with problem documents for errors and with the routes that FastAPI does not describe."""

import asyncio
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from sellergate_edge.dropin import openapi as dropin_openapi
from sellergate_edge.routes import pass_through
from sellergate_edge.routes.problems import MEDIA_TYPE, Problem

PATH = "/openapi.json"
_CONTACT = {"name": "The operator of this installation"}
_LICENSE = {"name": "Apache-2.0", "identifier": "Apache-2.0"}
_TAGS = [
    {
        "name": "accounts",
        "description": "The seller accounts of the user: connect, list, read, change, verify, disconnect.",
    },
    {"name": "sp-api", "description": "Any operation of SP-API for an account, with Amazon's response unchanged."},
    {"name": "checks", "description": "Checks of an account through the whole chain, stage by stage."},
    {
        "name": "history",
        "description": "What happened to an account: recent calls of all programs, captured on request.",
    },
    {"name": "oauth", "description": "Amazon's website authorization: a seller consents on Amazon's page."},
    {
        "name": "screens",
        "description": "What a frontend shows beside accounts: the user, applications, operations, quotas.",
    },
    {"name": "clients", "description": "Credentials for SP-API SDKs, which call the drop-in endpoint."},
    {"name": "drop-in", "description": "The token URL for SP-API SDKs."},
    {"name": "webhooks", "description": "Signed requests of other systems: rotated credentials."},
]
_PROBLEM: dict[str, Any] = {
    "description": "A problem (RFC 9457). Programs decide by `reason`; `detail` is for people, `requestId` for the operator.",
    "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
}

_PROBLEM_PAGE = {**_PROBLEM, "content": {**_PROBLEM["content"], "text/html": {"schema": {"type": "string"}}}}


def route(app: FastAPI) -> Route:
    """Return the route of the document. It takes a tenth of a second of CPU time to make, which no other request waits for."""
    making = asyncio.Lock()

    async def serve(_: Request) -> JSONResponse:
        async with making:
            return JSONResponse(app.openapi_schema or await asyncio.to_thread(describe, app))

    return Route(PATH, serve, methods=["GET"])


def describe(app: FastAPI) -> dict[str, Any]:
    """Return the document, which is made once."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title,
            version=app.version,
            description=app.description,
            routes=app.routes,
            tags=_TAGS,
            servers=[{"url": "/", "description": "The edge that serves this document"}],
            contact=_CONTACT,
            license_info=_LICENSE,
        )
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= problem.pop("$defs", {})
        schemas["Problem"] = problem
        for name in ("AmazonError", "Problem"):
            # A member without a value is left out; generators take a default for a value that is always there.
            for member in schemas[name]["properties"].values():
                member.pop("default", None)
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        for path in document["paths"].values():
            for operation in path.values():
                operation["responses"].pop("422", None)
                # Browsers get HTML pages, unless they ask for JSON.
                is_page = any("text/html" in one.get("content", ()) for one in operation["responses"].values())
                operation["responses"]["default"] = _PROBLEM_PAGE if is_page else _PROBLEM
        pass_through.describe(document)
        dropin_openapi.describe(document)
        app.openapi_schema = document
    return app.openapi_schema
