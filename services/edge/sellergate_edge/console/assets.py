"""The static files of the console: its page, scripts and style."""

from collections.abc import Awaitable, Callable
from pathlib import Path

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
# The second path is the redirect URI for the OpenID Connect provider.
SIGNED_IN = "console/signed-in"
_FILES = {"": "index.html", SIGNED_IN: "index.html"} | {
    f"console/{file.name}": file.name for file in FOLDER.iterdir() if file.suffix != ".html"
}


def routes() -> list[Route]:
    """Return the routes of the page at / and of what it needs below /console/."""
    pages = [Route(f"/{path}", _page(name), methods=["GET"]) for path, name in _FILES.items()]
    return [*pages, Route("/console/marketplaces.json", _marketplaces, methods=["GET"])]


def _page(name: str) -> Callable[[Request], Awaitable[Response]]:
    async def serve(_: Request) -> Response:
        headers = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-cache"}
        return FileResponse(FOLDER / name, headers=headers)

    return serve


async def _marketplaces(_: Request) -> Response:
    """Return the ids of all marketplaces by their codes."""
    return JSONResponse({marketplace.code: marketplace.id for marketplace in MARKETPLACES})
