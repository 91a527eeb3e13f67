"""The few HTML pages of the edge, for browsers that Amazon sends here: no script, no style, nothing unescaped."""

import html

from fastapi import Request
from fastapi.responses import HTMLResponse
from sellergate_common.context import current_call
from sellergate_common.errors import SellergateError

_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def wants_json(request: Request) -> bool:
    """Tell whether a program asks: it names JSON and no HTML."""
    accept = request.headers.get("accept", "").lower()
    return "json" in accept and "text/html" not in accept


def page(title: str, *lines: str, status: int = 200) -> HTMLResponse:
    """Return a page of plain text."""
    head = (
        f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{html.escape(title)}</title>'
    )
    body = "".join(f"<p>{html.escape(line)}</p>" for line in lines)
    document = (
        f'<!doctype html><html lang="en"><head>{head}</head><body><h1>{html.escape(title)}</h1>{body}</body></html>'
    )
    return HTMLResponse(document, status, _HEADERS)


def error_page(title: str, error: SellergateError) -> HTMLResponse:
    """Return an error as a page, with the request id to ask about."""
    call = current_call()
    if call is not None:
        call.reason = error.reason
    line = f"Request {call.request_id}." if call else ""
    return page(title, error.message, f"{error.reason}. {line}", status=error.http_status)
