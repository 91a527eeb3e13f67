"""Request bodies, bounded in size, time and depth, and in the memory that all of them take."""

import asyncio
from io import BytesIO

from sellergate_amazon import parsing
from sellergate_common.errors import InvalidRequest
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from sellergate_edge.limits.buffers import Lease

BODY_SECONDS = 30.0
JSON_SECONDS = 10.0
MAX_JSON_BYTES = 128 * 1024
"""A client for 1,000 accounts has 40 kB."""
_CLOSE = {"Connection": "close"}


async def read_body(request: Request, most_bytes: int, seconds: float = BODY_SECONDS) -> bytes:
    """Return the body, at most `most_bytes` within `seconds`. The caller is authenticated before, or the bound is small.

    Raises HTTPException (413, 408, 400 where the client leaves), QuotaExceeded, Overloaded.
    """
    lease, user = request.scope.get("sellergate.lease"), request.scope.get("sellergate.user", "")
    declared = request.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit():
        # A body that says it is too large is refused unread.
        _check(int(declared[:12]), most_bytes)
    body, size = BytesIO(), 0
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                size += len(chunk)
                _check(size, most_bytes)
                if isinstance(lease, Lease):
                    lease.hold(user, len(chunk))
                body.write(chunk)
    except TimeoutError:
        raise HTTPException(408, f"The body did not arrive within {seconds:.0f} s", _CLOSE) from None
    except ClientDisconnect:
        raise HTTPException(400, "The client closed the connection before the end of the body", _CLOSE) from None
    return body.getvalue()  # (it shares the memory of the buffer)


def check_json(body: bytes, content_type: str) -> None:
    """Check that a body of type JSON is valid JSON and nests no deeper than parsing.MOST_DEPTH. Raises InvalidRequest."""
    if not body or "json" not in content_type.lower():
        return
    try:
        parsing.parse_json(body, most=MAX_JSON_BYTES, content_type=content_type)
    except parsing.ParseError as error:
        raise InvalidRequest.of_field("body", f"must be a JSON document in UTF-8 ({error})") from None


def _check(size: int, most_bytes: int) -> None:
    if size > most_bytes:
        # The connection stays, so that a client that is still sending reads the response; the listener bounds the rest.
        raise HTTPException(413, f"The body has more than {most_bytes} bytes")
