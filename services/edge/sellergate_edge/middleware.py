"""What surrounds every request: its id, its deadline, one line in the log, and headers that keep browsers safe."""

import re
import time
import uuid

from sellergate_common.context import REQUEST_ID, TRACEPARENT, CallContext, serving
from sellergate_common.errors import Reason
from sellergate_common.logs import get_logger
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

REQUEST_SECONDS = 30.0
_REQUEST_ID_SHAPE = re.compile(r"[A-Za-z0-9_-]{1,64}")
_SAFE = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
}


class RequestContext:
    """Pure ASGI: no copy of bodies."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request in its context."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get(REQUEST_ID, "")
        call = CallContext(
            method=scope["method"],
            request_id=given if _REQUEST_ID_SHAPE.fullmatch(given) else uuid.uuid4().hex,
            traceparent=headers.get(TRACEPARENT, ""),
            deadline=time.monotonic() + REQUEST_SECONDS,
        )
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _dress(MutableHeaders(scope=message), call, scope)
            await send(message)

        with serving(call):
            try:
                await self._app(scope, receive, answer)
            finally:
                get_logger().info(
                    "http",
                    method=scope["method"],
                    route=getattr(scope.get("route"), "path", "unknown"),
                    status=status,
                    reason=call.reason or (Reason.INTERNAL if not status else "OK"),
                    milliseconds=round((time.monotonic() - call.started) * 1000, 2),
                )


def _dress(headers: MutableHeaders, call: CallContext, scope: Scope) -> None:
    headers[REQUEST_ID] = call.request_id
    for name, value in _SAFE.items():
        headers.setdefault(name, value)
    if scope["path"].startswith("/api/"):
        headers["cache-control"] = "no-store"
