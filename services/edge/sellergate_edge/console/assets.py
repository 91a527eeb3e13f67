"""The console: one page for people, its script and its style, served as they are."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import FileResponse, JSONResponse
from sellergate_amazon.marketplaces import MARKETPLACES
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

FOLDER = Path(__file__).parent / "page"
_POLICY = (
    "default-src 'none'; connect-src 'self'; img-src 'self' data:; script-src 'self'; style-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# The second is where an OpenID Connect provider sends the browser back to.
SIGNED_IN = "console/signed-in"
_FILES = {"": "index.html", SIGNED_IN: "index.html"} | {
    f"console/{file.name}": file.name for file in FOLDER.iterdir() if file.suffix != ".html"
}


def install(app: FastAPI) -> None:
    """Serve the page at / and what it needs below /console/."""
    for path, name in _FILES.items():
        app.router.routes.append(Route(f"/{path}", _page(name), methods=["GET"]))
    app.router.routes.append(Route("/console/marketplaces.json", _marketplaces, methods=["GET"]))


def _page(name: str) -> Callable[[Request], Awaitable[Response]]:
    async def serve(_: Request) -> Response:
        headers = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-cache"}
        return FileResponse(FOLDER / name, headers=headers)

    return serve


async def _marketplaces(_: Request) -> Response:
    """Return the ids of all marketplaces by their codes."""
    return JSONResponse({marketplace.code: marketplace.id for marketplace in MARKETPLACES})
