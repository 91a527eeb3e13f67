"""The REST API's documentation for people: Swagger UI, served from here, so that no other host's script runs beside the console."""

import asyncio
import gzip
from importlib.resources import files

from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_STATIC = files("fastapi_offline") / "static"
_KINDS = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css"}
_START = """SwaggerUIBundle({url: '/openapi.json', dom_id: '#ui', deepLinking: true, validatorUrl: null});
"""
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sellergate: REST API</title>
<link rel="icon" href="/console/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="ui"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""
# Swagger UI sets styles of single elements; its scripts come from here alone.
_POLICY = (
    "default-src 'none'; connect-src 'self'; img-src 'self' data:; script-src 'self'; style-src 'self' 'unsafe-inline';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def install(app: FastAPI) -> None:
    """Serve the page at /docs and what it needs below it."""
    app.router.routes.append(Route("/docs", _page, methods=["GET"]))
    app.router.routes.append(Route("/docs/start.js", _script, methods=["GET"]))
    app.router.routes.append(Route("/docs/{name}", _Files().serve, methods=["GET"]))


async def _page(_: Request) -> Response:
    return HTMLResponse(_PAGE, headers={"Content-Security-Policy": _POLICY})


async def _script(_: Request) -> Response:
    return Response(_START, media_type="text/javascript")


class _Files:
    """The files of Swagger UI, packed once: any stranger may ask for them, and packing takes 50 ms of CPU time."""

    def __init__(self) -> None:
        self._packed: dict[str, bytes] = {}
        self._packing = asyncio.Lock()

    async def serve(self, request: Request) -> Response:
        """Serve one file, packed where the client takes that."""
        name = request.path_params["name"]
        if name not in _KINDS:
            return Response(status_code=404)
        packed = await self._packed_file(name)
        headers = {"Cache-Control": "max-age=86400", "Vary": "Accept-Encoding"}
        if "gzip" in request.headers.get("accept-encoding", ""):
            return Response(packed, media_type=_KINDS[name], headers={**headers, "Content-Encoding": "gzip"})
        return Response(gzip.decompress(packed), media_type=_KINDS[name], headers=headers)

    async def _packed_file(self, name: str) -> bytes:
        async with self._packing:
            if name not in self._packed:
                self._packed[name] = await asyncio.to_thread(lambda: gzip.compress((_STATIC / name).read_bytes()))
            return self._packed[name]
