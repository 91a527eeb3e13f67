"""Bodies of requests, bounded in size and time."""

import asyncio

from starlette.exceptions import HTTPException
from starlette.requests import Request

BODY_SECONDS = 60.0


async def read_body(request: Request, most_bytes: int) -> bytes:
    """Read the body, at most `most_bytes` within BODY_SECONDS. Raises HTTPException (413, 408)."""
    chunks, size = [], 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                size += len(chunk)
                if size > most_bytes:
                    raise HTTPException(413)
                chunks.append(chunk)
    except TimeoutError:
        raise HTTPException(408) from None
    return b"".join(chunks)
