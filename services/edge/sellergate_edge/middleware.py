"""The context of every request: its id, deadline, buffered bytes, log line and security headers."""

import re
import time
import uuid

from sellergate_common.context import REQUEST_ID, TRACEPARENT, CallContext, bind_named, trace_context, use_context
from sellergate_common.errors import Reason
from sellergate_common.observability.logs import get_logger
from sellergate_common.observability.redaction import redact_text
from sellergate_common.observability.telemetry import RpcMetrics
from sellergate_common.observability.tracing import server_span, traceparent
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sellergate_edge.forwarding import METHODS
from sellergate_edge.limits.buffers import Buffers, Lease
from sellergate_edge.own_paths import is_compressed, is_public
from sellergate_edge.routes import problems

REQUEST_SECONDS = 30.0
GZIP_BYTES = 1024
_REQUEST_ID_SHAPE = re.compile(r"[A-Za-z0-9_-]{1,64}")
_SAFE = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
)
_POLICY = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
_STRICT = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")
_LABELS = frozenset({*METHODS, "OPTIONS"})
_EXPOSED = ("ETag", "Link", "Location", "Retry-After", "X-Request-Id", "X-Amzn-RequestId", "X-Amzn-RateLimit-Limit")


class RequestContext:
    """The context of each request, as plain ASGI, which copies no bodies. `https`: browsers must use https only."""

    def __init__(self, app: ASGIApp, *, metrics: RpcMetrics, https: bool = False) -> None:
        self._app = app
        self._metrics = metrics
        self._buffers = Buffers()
        self._safe = (*_SAFE, _STRICT) if https else _SAFE

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request in its context."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        # Clients choose methods freely; labels and log lines have only the known ones.
        method = scope["method"] if scope["method"] in _LABELS else "OTHER"
        lease = scope["sellergate.lease"] = Lease(self._buffers)
        call = CallContext(
            method=method,
            request_id=_request_id(headers.get(REQUEST_ID, "")),
            traceparent=trace_context(headers.get(TRACEPARENT, "")),
            deadline=time.monotonic() + REQUEST_SECONDS,
        )
        status = 0

        async def respond(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                self._add_headers(message, call, scope["path"])
            await send(message)

        route = "unknown"
        with use_context(call), server_span(method, call.traceparent, request_id=call.request_id) as traced:
            call.traceparent = traceparent()
            try:
                await self._app(scope, receive, respond)
            except Exception as error:
                if status:  # the response has begun; the connection is aborted, so that the client does not take it for complete
                    raise
                await problems.problem(problems.bug(error))(scope, receive, respond)
            finally:
                lease.end()
                route = getattr(scope.get("route"), "path", route)
                traced.set_attribute("http.route", route)
                traced.set_attribute("http.response.status_code", status)
                reason = call.reason or (Reason.INTERNAL if not status else "OK")
                seconds = time.monotonic() - call.started
                bind_named(scope.get("path_params", {}).get("account_id", ""))
                self._metrics.observe(f"{method if route != 'unknown' else ''} {route}".strip(), reason, seconds)
                get_logger().info(
                    "http",
                    method=method,
                    route=route,
                    status=status,
                    reason=reason,
                    milliseconds=round(seconds * 1000, 2),
                )

    def _add_headers(self, message: Message, call: CallContext, path: str) -> None:
        own: list[tuple[bytes, bytes]] = [(REQUEST_ID.encode(), call.request_id.encode()), *self._safe]
        decided = {REQUEST_ID.encode()}
        if not is_public(path):
            own += [(b"cache-control", b"no-store"), _POLICY]
            decided.add(b"cache-control")
        headers = list(message["headers"])
        there = {name for name, _ in headers}
        message["headers"] = [pair for pair in headers if pair[0] not in decided] + [
            pair for pair in own if pair[0] not in there or pair[0] in decided
        ]


class Compressed:
    """Compression of Sellergate's own responses. Amazon's bytes stay as they are."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._compressing = GZipMiddleware(app, minimum_size=GZIP_BYTES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        compresses = scope["type"] == "http" and is_compressed(scope["path"])
        await (self._compressing if compresses else self._app)(scope, receive, send)


def cross_origin(app: ASGIApp, origins: tuple[str, ...]) -> ASGIApp:
    """Allow requests by pages of other origins, but only of those that are listed."""
    if not origins:
        return app
    return CORSMiddleware(
        app,
        allow_origins=origins,
        allow_methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
        allow_headers=[
            "Authorization",
            "Content-Type",
            "Idempotency-Key",
            "If-Match",
            "If-None-Match",
            "X-Request-Id",
            "X-Sellergate-Max-Wait",
            "X-Sellergate-Sandbox",
            "X-Sellergate-Timeout",
            "X-Sellergate-Token-Kind",
        ],
        allow_credentials=True,
        expose_headers=_EXPOSED,
        max_age=600,
    )


def _request_id(given: str) -> str:
    """Return the caller's request id if it has the shape of one and not of a secret; else a new one."""
    is_id = _REQUEST_ID_SHAPE.fullmatch(given) and redact_text(given) == given
    return given if is_id else uuid.uuid4().hex
