"""What documents need: the servers behind Amazon's presigned addresses. The addresses are secrets: whoever has one reads."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from sellergate_gateway.spapi.http import Headers


@dataclass(frozen=True, slots=True)
class DocumentResponse:
    """A response whose body is still to come. Iterating raises Broken when the connection breaks."""

    status: int
    headers: Headers
    chunks: AsyncIterator[bytes] = field(repr=False)

    def header(self, name: str) -> str:
        """Return the first header of this name, in any case; empty when there is none."""
        return next((value for known, value in self.headers if known.lower() == name), "")


class ConnectionBroken(Exception):
    """The connection broke or was silent for too long. The message says how, without the address.

    `own`: this process or its machine is at fault, and nothing is known of the server.
    """

    def __init__(self, why: str, *, own: bool = False) -> None:
        super().__init__(why)
        self.own = own


class Forbidden(Exception):
    """The address is none that documents are fetched from. The message says why, without the address."""


class DocumentServer(Protocol):
    """HTTPS without any credentials, without redirects, to hosts that are listed and addresses that are public."""

    def get(self, url: str, headers: Headers) -> AbstractAsyncContextManager[DocumentResponse]:
        """Fetch. Raises ConnectionBroken, Forbidden."""

    async def put(self, url: str, content_type: str, size: int, chunks: AsyncIterator[bytes]) -> DocumentResponse:
        """Upload exactly `size` bytes. Raises ConnectionBroken, Forbidden, and what the chunks raise."""
