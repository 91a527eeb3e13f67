"""Bodies of requests, read no further than they may be long."""

from starlette.exceptions import HTTPException
from starlette.requests import Request


async def read_body(request: Request, most_bytes: int) -> bytes:
    """Read the body, and stop at the limit instead of filling the memory. Raises HTTPException (413)."""
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > most_bytes:
            raise HTTPException(413)
        chunks.append(chunk)
    return b"".join(chunks)
