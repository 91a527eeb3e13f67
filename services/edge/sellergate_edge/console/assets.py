"""The static files of the console: its page, scripts and styles."""

import hashlib
import re
from pathlib import Path

from fastapi.responses import JSONResponse
from sellergate_amazon.marketplaces import MARKETPLACES
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

FOLDER = Path(__file__).parent / "page"
_POLICY = (
    "default-src 'none'; connect-src 'self'; img-src 'self' data:; script-src 'self'; style-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# The redirect URI for the OpenID Connect provider.
SIGNED_IN = "console/signed-in"
# Addresses of the page, which its script shows; the browser may open and reload each of them.
PAGES = (
    "/",
    f"/{SIGNED_IN}",
    "/console/sellers",
    "/console/sellers/{account_id}",
    "/console/explorer",
    "/console/applications",
    "/console/operator",
    "/console/operator/{account_id}",
)
_KINDS = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
# The page names its files below this folder; a browser gets the release's version in place of the hyphen.
_UNVERSIONED = b"/console/-/"
_VERSION = re.compile(r"(?:-|v[0-9a-f]{16})/")
_CHECKED = "no-cache"
_FOREVER = "public, max-age=31536000, immutable"


def routes() -> list[Route]:
    """Return the routes of the page at its addresses, and of what it needs below /console/."""
    files = _Files()
    return [
        *(Route(path, files.page, methods=["GET"]) for path in PAGES),
        Route("/console/marketplaces.json", _marketplaces, methods=["GET"]),
        Route("/console/{file:path}", files.serve, methods=["GET"]),
    ]


class _Files:
    """The files, in memory. A browser keeps the files of a release; those of another release's address are checked each time."""

    def __init__(self) -> None:
        found = {file.relative_to(FOLDER).as_posix(): file.read_bytes() for file in sorted(FOLDER.rglob("*.*"))}
        digest = hashlib.sha256(b"".join(name.encode() + content for name, content in found.items())).hexdigest()
        self._version = f"v{digest[:16]}"
        self._page = found.pop("index.html").replace(_UNVERSIONED, f"/console/{self._version}/".encode())
        self._files = found

    async def page(self, request: Request) -> Response:
        """Serve the page."""
        return self._respond(request, self._page, ".html", _CHECKED)

    async def serve(self, request: Request) -> Response:
        """Serve one file, below the folder of a version or without one. Raises HTTPException for an unknown file."""
        path = request.path_params["file"]
        version = _VERSION.match(path)
        name = path[version.end() :] if version else path
        if name not in self._files:
            raise HTTPException(404)
        is_own = version is not None and version[0] == f"{self._version}/"
        return self._respond(request, self._files[name], Path(name).suffix, _FOREVER if is_own else _CHECKED)

    def _respond(self, request: Request, content: bytes, suffix: str, caching: str) -> Response:
        etag = f'"{self._version}"'
        headers = {"Content-Security-Policy": _POLICY, "Cache-Control": caching, "ETag": etag}
        # A proxy that compresses makes the ETag a weak one.
        if etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(content, media_type=_KINDS[suffix], headers=headers)


async def _marketplaces(_: Request) -> Response:
    """Return the ids of all marketplaces by their codes."""
    return JSONResponse({marketplace.code: marketplace.id for marketplace in MARKETPLACES})
