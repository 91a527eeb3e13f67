"""One call of SP-API for an HTTP request: what is sent to Amazon, and Amazon's response with its status, headers and bytes."""

import asyncio
import re
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from sellergate_amazon.headers import comes_from_amazon, goes_to_amazon, is_header_value
from sellergate_client import Sellergate, SpApiResponse
from sellergate_client.rpc.options import CallOptions
from sellergate_common.context import bind_named, current_call
from sellergate_common.errors import CallCancelled, InvalidRequest, Reason, Unavailable
from sellergate_common.tasks import end
from starlette.requests import Request
from starlette.responses import Response

from sellergate_edge.request_body import read_body

MAX_BODY_BYTES = 10 * 1024 * 1024
_SECONDS = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3})?")
_LENGTH = re.compile(r"[0-9]{1,15}")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
# The seconds that a call may wait for quota. A caller may name up to LONGEST_WAIT_SECONDS.
MAX_WAIT = "x-sellergate-max-wait"
LONGEST_WAIT_SECONDS = 20.0
# The seconds that a caller gives a call in all. The longest time is less than the longest attempt of the gateway.
TIMEOUT = "x-sellergate-timeout"
CALL_SECONDS = 30.0
LONGEST_CALL_SECONDS = 290.0
_T = TypeVar("_T")
_OWN_RESPONSE_HEADERS = frozenset({"content-length", "date", "server"})


async def forward(
    request: Request,
    client: Sellergate,
    account_id: str,
    path: str,
    user: str,
    max_wait: float,
    *,
    seconds: float,
    sandbox: bool | None = None,
    token_kind: str = "",
    restricted_resources: Sequence[tuple[str, str, Sequence[str]]] = (),
) -> Response:
    """Make the call for the user and return Amazon's response unchanged. Raises SellergateError where Amazon sent none.

    `max_wait`: seconds that the call may wait for quota; `seconds`: those that the request has in all, from its start on. The call
    ends earlier, with CallCancelled, when the client closes the connection.
    """
    bind_named(account_id)
    context = current_call()
    if context is not None:
        context.deadline = context.started + seconds
    scope = request.scope
    options: CallOptions = {
        "raw_query": scope["query_string"].decode("latin-1"),
        "headers": [
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"] if _goes_along(name)
        ],
        "content_type": request.headers.get("content-type", ""),
        "as_is": True,
        "max_wait": max_wait,
        "sandbox": sandbox,
        "token_kind": token_kind,
        "restricted_resources": restricted_resources,
    }
    if request.method not in ("GET", "HEAD") or _has_body(request):
        options["body"] = await read_body(request, MAX_BODY_BYTES)
    call = client.call(account_id, request.method, path, seconds=seconds, on_behalf_of=user, **options)
    options.pop("body", None)  # the client drops the body as soon as its message holds it
    return to_http_response(await _while_connected(request, call), request.method)


def max_wait_of(request: Request, default: float) -> float:
    """Return the seconds that a call may wait for quota: those of its header, or `default`. Raises InvalidRequest."""
    return _seconds_of(request, MAX_WAIT, default, 0.0, LONGEST_WAIT_SECONDS)


def seconds_of(request: Request, default: float) -> float:
    """Return the seconds that a caller gives a call in all: those of its header, or `default`. Raises InvalidRequest."""
    return _seconds_of(request, TIMEOUT, default, 1.0, LONGEST_CALL_SECONDS)


def _seconds_of(request: Request, name: str, default: float, least: float, most: float) -> float:
    given = request.headers.get(name)
    if given is None:
        return default
    if not _SECONDS.fullmatch(given) or not least <= float(given) <= most:
        raise InvalidRequest.of_field(name, f"must be a number of seconds from {least:.0f} to {most:.0f}")
    return float(given)


async def _while_connected(request: Request, call: Coroutine[Any, Any, _T]) -> _T:
    """Return the result of a call; cancel it when the client closes the connection.

    Raises CallCancelled, and what the call raises.
    """
    calling = asyncio.ensure_future(call)
    leaving = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait({calling, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if calling.done():
            return calling.result()
        raise CallCancelled("The client closed the connection before the response; a write may have been carried out.")
    finally:
        leaving.cancel()
        if not calling.done():
            await end(calling)


async def _disconnected(request: Request) -> None:
    """Return when the client has closed the connection. The body has been read, or the request has none."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def to_http_response(amazon_response: SpApiResponse, method: str = "GET") -> Response:
    """Return Amazon's response, with the headers that are listed and that HTTP can carry. Raises Unavailable.

    The response to HEAD keeps Amazon's Content-Length, which is that of the response to GET (RFC 9110 §9.3.2).
    """
    if not 200 <= amazon_response.status <= 599:  # noqa: PLR2004  (others do not end a call)
        words = f"Amazon sent the status {amazon_response.status}, which is not a final one. Send the request again."
        raise Unavailable(words, reason=Reason.AMAZON_UNAVAILABLE)
    response = Response(amazon_response.body, amazon_response.status)
    length = _length_of_get(amazon_response) if method == "HEAD" else None
    own = [(name, length or value) for name, value in response.raw_headers if name == b"content-length"]
    response.raw_headers = [
        (lowered.encode("latin-1"), value.encode("latin-1"))
        for name, value in amazon_response.headers
        if _comes_back(lowered := name.lower(), value)
    ] + own
    return response


def _length_of_get(amazon_response: SpApiResponse) -> bytes | None:
    """Return Amazon's Content-Length where it is a number."""
    found = (value for name, value in amazon_response.headers if name.lower() == "content-length")
    return next((value.encode() for value in found if _LENGTH.fullmatch(value)), None)


def _has_body(request: Request) -> bool:
    return "content-length" in request.headers or "transfer-encoding" in request.headers


def _goes_along(name: bytes) -> bool:
    return goes_to_amazon(name.decode("latin-1"))


def _comes_back(name: str, value: str) -> bool:
    return name not in _OWN_RESPONSE_HEADERS and comes_from_amazon(name) and is_header_value(value)
