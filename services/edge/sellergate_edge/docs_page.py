"""The documentation of the REST API: Swagger UI, served by the edge so that no other host's script has the console's origin."""

import asyncio
import gzip
from importlib.resources import files

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
# Swagger UI sets styles of single elements; its scripts come only from the edge.
_POLICY = (
    "default-src 'none'; connect-src 'self'; img-src 'self' data:; script-src 'self'; style-src 'self' 'unsafe-inline';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def routes() -> list[Route]:
    """Return the routes of the page at /docs and of what it needs below it."""
    return [
        Route("/docs", _page, methods=["GET"]),
        Route("/docs/start.js", _script, methods=["GET"]),
        Route("/docs/{name}", _Files().serve, methods=["GET"]),
    ]


async def _page(_: Request) -> Response:
    return HTMLResponse(_PAGE, headers={"Content-Security-Policy": _POLICY})


async def _script(_: Request) -> Response:
    return Response(_START, media_type="text/javascript")


class _Files:
    """The files of Swagger UI, compressed once: any client may fetch them, and compression takes 50 ms of CPU time."""

    def __init__(self) -> None:
        self._packed: dict[str, bytes] = {}
        self._packing = asyncio.Lock()

    async def serve(self, request: Request) -> Response:
        """Serve one file, compressed if the client accepts that."""
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
