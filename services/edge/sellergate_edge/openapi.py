"""The OpenAPI document: what FastAPI writes, with every refusal a problem document, and the raw routes beside it."""

import asyncio
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from sellergate_edge.dropin import openapi as dropin_openapi
from sellergate_edge.routes import pass_through
from sellergate_edge.routes.models import Problem
from sellergate_edge.routes.problems import MEDIA_TYPE

PATH = "/openapi.json"
_PROBLEM: dict[str, Any] = {
    "description": "A refusal (RFC 9457): decide by `reason`, show `detail`, ask about `requestId`",
    "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
}

_REFUSED_PAGE = {**_PROBLEM, "content": {**_PROBLEM["content"], "text/html": {"schema": {"type": "string"}}}}


def install(app: FastAPI) -> None:
    """Serve the document. It takes a tenth of a second of CPU time to make, which no other request waits for."""
    making = asyncio.Lock()

    async def serve(_: Request) -> JSONResponse:
        async with making:
            return JSONResponse(app.openapi_schema or await asyncio.to_thread(describe, app))

    app.router.routes.append(Route(PATH, serve, methods=["GET"]))


def describe(app: FastAPI) -> dict[str, Any]:
    """Return the document, made once."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes, tags=app.openapi_tags
        )
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        schemas["Problem"] = Problem.model_json_schema()
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        for path in document["paths"].values():
            for operation in path.values():
                operation["responses"].pop("422", None)
                # Browsers get pages, unless they ask for JSON.
                is_page = any("text/html" in one.get("content", ()) for one in operation["responses"].values())
                operation["responses"]["default"] = _REFUSED_PAGE if is_page else _PROBLEM
        pass_through.describe(document)
        dropin_openapi.describe(document)
        app.openapi_schema = document
    return app.openapi_schema
