"""One call of SP-API for an HTTP request: what is sent to Amazon, and Amazon's response with its status, headers and bytes."""

import re
from collections.abc import Sequence

from sellergate_amazon.headers import comes_from_amazon, goes_to_amazon, is_header_value
from sellergate_client import Sellergate, SpApiResponse
from sellergate_client.rpc.options import CallOptions
from sellergate_common.context import bind_named
from sellergate_common.errors import InvalidRequest, Reason, Unavailable
from starlette.requests import Request
from starlette.responses import Response

from sellergate_edge.request_body import read_body

MAX_BODY_BYTES = 10 * 1024 * 1024
_SECONDS = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3})?")
_LENGTH = re.compile(r"[0-9]{1,15}")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
# The seconds that a call may wait for quota. A caller may name up to LONGEST_WAIT_SECONDS, which fit into the time of a request.
MAX_WAIT = "x-sellergate-max-wait"
LONGEST_WAIT_SECONDS = 20.0
_OWN_RESPONSE_HEADERS = frozenset({"content-length", "date", "server"})


async def forward(
    request: Request,
    client: Sellergate,
    account_id: str,
    path: str,
    user: str,
    max_wait: float,
    *,
    sandbox: bool | None = None,
    token_kind: str = "",
    restricted_resources: Sequence[tuple[str, str, Sequence[str]]] = (),
) -> Response:
    """Make the call for the user and return Amazon's response unchanged. Raises SellergateError where Amazon sent none.

    `max_wait`: seconds that the call may wait for quota.
    """
    bind_named(account_id)
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
    call = client.call(account_id, request.method, path, on_behalf_of=user, **options)
    options.pop("body", None)  # the client drops the body as soon as its message holds it
    return to_http_response(await call, request.method)


def max_wait_of(request: Request, default: float) -> float:
    """Return the seconds that a call may wait for quota: those of its header, or `default`. Raises InvalidRequest."""
    given = request.headers.get(MAX_WAIT)
    if given is None:
        return default
    if not _SECONDS.fullmatch(given) or float(given) > LONGEST_WAIT_SECONDS:
        raise InvalidRequest.of_field(MAX_WAIT, f"must be a number of seconds from 0 to {LONGEST_WAIT_SECONDS:.0f}")
    return float(given)


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
