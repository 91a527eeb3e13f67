"""The delivery of responses: complete, delayed, truncated, or none at all."""

import asyncio
import socket
import struct
from typing import Any

from aiohttp import web

from sellergate_simulator.http.responses import Response


async def truncated(request: web.BaseRequest, simulated: Response) -> web.StreamResponse:
    """Announce the whole body, but send only half of it and close the connection."""
    body = simulated.body or b'{"payload":{}}'
    response = web.StreamResponse(status=simulated.status, headers=dict(simulated.headers))
    response.content_length = len(body)
    response.content_type = simulated.content_type or "application/json"
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()
    return response


def reset(request: web.BaseRequest) -> web.StreamResponse:
    """Reset the connection, so that the client sees a reset and not an orderly close."""
    transport = request.transport
    if transport is not None:
        connection: Any = transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return web.Response(status=500)


async def still_there_after(request: web.BaseRequest, seconds: float) -> bool:
    """Wait, and return whether the client is still connected."""
    await asyncio.sleep(seconds)
    return request.transport is not None and not request.transport.is_closing()
