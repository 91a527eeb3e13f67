"""The port of the stores behind Amazon's presigned addresses. An address is a secret, as it gives access to its document."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from sellergate_gateway.spapi.http import Headers


@dataclass(frozen=True, slots=True)
class DocumentResponse:
    """A response whose body is not read yet. Iterating over `chunks` raises ConnectionBroken."""

    status: int
    headers: Headers
    chunks: AsyncIterator[bytes] = field(repr=False)

    def header(self, name: str) -> str:
        """Return the first header of this lower-case name; empty when there is none."""
        return next((value for known, value in self.headers if known.lower() == name), "")


class ConnectionBroken(Exception):
    """A failed transfer that may be repeated. The message names the cause, without the address.

    `own`: this process or its machine is at fault, not the store. `retry_after`: the store's Retry-After in seconds.
    """

    def __init__(self, why: str, *, own: bool = False, retry_after: float = 0.0) -> None:
        super().__init__(why)
        self.own = own
        self.retry_after = retry_after


class Forbidden(Exception):
    """An address that the guard refuses. The message says why, without the address."""


class DocumentStore(Protocol):
    """HTTPS without credentials and redirects, to listed hosts with public addresses."""

    def get(self, url: str, headers: Headers) -> AbstractAsyncContextManager[DocumentResponse]:
        """Fetch a document. Raises ConnectionBroken, Forbidden."""

    async def put(self, url: str, content_type: str, size: int, chunks: AsyncIterator[bytes]) -> DocumentResponse:
        """Upload exactly `size` bytes. The response has the beginning of its body.

        Raises ConnectionBroken, Forbidden, and what the chunks raise.
        """
