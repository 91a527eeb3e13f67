"""The few HTML pages of the edge, for browsers that Amazon sends here: no script, nothing unescaped."""

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
</head>
<body>
<header class="top"><p class="brand"><img src="/console/icon.svg" alt="" width="28" height="28"> Sellergate</p></header>
<main><section class="card narrow"><h1>{title}</h1>{body}<p><a href="/">To the console</a></p></section></main>
</body>
</html>
"""


def wants_json(request: Request) -> bool:
    """Return whether a program asks: it names JSON and no HTML."""
    accept = request.headers.get("accept", "").lower()
    return "json" in accept and "text/html" not in accept


def page(title: str, *lines: str, status: int = 200) -> HTMLResponse:
    """Return a page of plain text, in the console's clothes and with a way back to it."""
    body = "".join(f"<p>{html.escape(line)}</p>" for line in lines)
    return HTMLResponse(_PAGE.format(title=html.escape(title), body=body), status, _HEADERS)


def error_page(title: str, error: SellergateError, advice: str = "") -> HTMLResponse:
    """Return an error as a page, with advice, if any, and the request id to ask about."""
    call = current_call()
    if call is not None:
        call.reason = error.reason
    fields = ", ".join(violation.field for violation in error.violations)
    reason = f"{error.reason}{f' ({fields})' if fields else ''}."
    lines = (_plain(error), advice) if advice else (_plain(error),)
    return page(title, *lines, reason + (f" Request {call.request_id}." if call else ""), status=error.http_status)


def _plain(error: SellergateError) -> str:
    """Return what happened without names of fields: a person reads it, who only pressed a button."""
    fields = {violation.field for violation in error.violations}
    if fields == {"state"}:
        return "This authorization is not known, was used already, or was begun more than 10 minutes ago. Begin again."
    if fields:
        return f"What the browser brought back from Amazon cannot be used ({error.message}). Begin again."
    return error.message
