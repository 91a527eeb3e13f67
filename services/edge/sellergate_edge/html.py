"""HTML pages for browsers that Amazon redirects to the edge, without scripts and with all text escaped."""

import html

from fastapi import Request
from fastapi.responses import HTMLResponse
from sellergate_common.context import current_call
from sellergate_common.errors import SellergateError

_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<link rel="icon" href="/console/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/console/console.css">
<link rel="stylesheet" href="/console/style/shell.css">
</head>
<body>
<header class="top"><p class="brand"><img src="/console/icon.svg" alt="" width="28" height="28"> Sellergate</p></header>
<main><section class="card narrow"><h1>{title}</h1>{body}<p><a href="/">To the console</a></p></section></main>
</body>
</html>
"""


def wants_json(request: Request) -> bool:
    """Return whether the client accepts JSON and not HTML, as programs do."""
    accept = request.headers.get("accept", "").lower()
    return "json" in accept and "text/html" not in accept


def page(title: str, *lines: str, status: int = 200) -> HTMLResponse:
    """Return a page of plain text in the console's style, with a link to the console."""
    body = "".join(f"<p>{html.escape(line)}</p>" for line in lines)
    return HTMLResponse(_PAGE.format(title=html.escape(title), body=body), status, _HEADERS)


def error_page(title: str, error: SellergateError, advice: str = "") -> HTMLResponse:
    """Return an error as a page with its reason, the advice, if any, and the request id for questions to the operator."""
    call = current_call()
    if call is not None:
        call.reason = error.reason
    fields = ", ".join(violation.field for violation in error.violations)
    reason = f"{error.reason}{f' ({fields})' if fields else ''}."
    lines = (_plain(error), advice) if advice else (_plain(error),)
    return page(title, *lines, reason + (f" Request {call.request_id}." if call else ""), status=error.http_status)


def _plain(error: SellergateError) -> str:
    """Return the error's sentence without field names, for a seller that has only pressed a button."""
    fields = {violation.field for violation in error.violations}
    if fields == {"state"}:
        return (
            "This authorization is unknown, was used already, or was started more than 10 minutes ago. Start it again."
        )
    if fields:
        return f"Amazon's redirect cannot be used ({error.message}). Start the authorization again."
    return error.message
