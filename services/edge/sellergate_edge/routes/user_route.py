"""Routes with JSON bodies, whose query parameters are all known.

The user is authenticated before the body is read, and the body is bounded before it is parsed.
"""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.dependencies.utils import get_flat_params
from fastapi.params import Query
from fastapi.routing import APIRoute
from starlette.types import Message, Receive

from sellergate_edge.dependencies import user_of
from sellergate_edge.request_body import JSON_SECONDS, MAX_JSON_BYTES, check_json, read_body
from sellergate_edge.routes.query_names import check_query_names


class DocumentRoute(APIRoute):
    """A route whose query parameters are known, and whose JSON bodies are bounded in size, time and depth."""

    async def admit(self, request: Request) -> None:
        """Admit a request. Subclasses raise for requests that they refuse."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler, preceded by the admission and the checks of the body."""
        handler = super().get_route_handler()
        names = frozenset(one.alias for one in get_flat_params(self.dependant) if isinstance(one.field_info, Query))

        async def respond(request: Request) -> Response:
            await self.admit(request)
            check_query_names(request.query_params, names)
            if self.body_field is None:
                return await handler(request)
            body = await read_body(request, MAX_JSON_BYTES, JSON_SECONDS)
            check_json(body, request.headers.get("content-type", ""))
            return await handler(Request(request.scope, _once(body)))

        return respond


class UserRoute(DocumentRoute):
    """A route for authenticated users."""

    async def admit(self, request: Request) -> None:
        """Authenticate and count the user. Raises Unauthenticated, Unavailable, QuotaExceeded."""
        await user_of(request)


def _once(body: bytes) -> Receive:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive
