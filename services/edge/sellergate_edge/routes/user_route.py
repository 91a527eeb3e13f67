"""Routes with documents: who asks is known before anything of the body is read, and the body is bounded before it is parsed."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.types import Message, Receive

from sellergate_edge.dependencies import user_of
from sellergate_edge.request_body import JSON_SECONDS, MAX_JSON_BYTES, check_json, read_body


class DocumentRoute(APIRoute):
    """A route whose documents are bounded in size, time and depth."""

    async def admit(self, request: Request) -> None:
        """Let a request in; anyone's, unless a subclass knows better."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler with this before it."""
        handler = super().get_route_handler()

        async def respond(request: Request) -> Response:
            await self.admit(request)
            if self.body_field is None:
                return await handler(request)
            body = await read_body(request, MAX_JSON_BYTES, JSON_SECONDS)
            check_json(body, request.headers.get("content-type", ""))
            return await handler(Request(request.scope, _once(body)))

        return respond


class UserRoute(DocumentRoute):
    """The same for requests that carry a user's token."""

    async def admit(self, request: Request) -> None:
        """Let a user in. Raises Unauthenticated, QuotaExceeded."""
        await user_of(request)


def _once(body: bytes) -> Receive:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive
