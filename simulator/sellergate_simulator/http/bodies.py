"""The bodies of requests, decoded by their Content-Encoding."""

import zlib

from aiohttp import web

# zlib's sign for a header of gzip or zlib, whichever is there.
_ANY_HEADER = zlib.MAX_WBITS | 32


class UnreadableBody(Exception):
    """A body that its Content-Encoding cannot decode."""


async def read_body(request: web.BaseRequest) -> bytes:
    """Return the decoded body. Raises UnreadableBody."""
    body = await request.content.read()
    if request.headers.get("content-encoding", "identity").lower() == "identity":
        return body
    try:
        return zlib.decompress(body, _ANY_HEADER)
    except zlib.error as error:
        raise UnreadableBody from error
