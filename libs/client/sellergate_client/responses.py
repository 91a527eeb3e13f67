"""Amazon's responses to calls."""

from dataclasses import dataclass
from typing import Any

from sellergate.gateway.v1 import call_pb2
from sellergate_amazon import parsing

MOST_JSON_BYTES = 256 * 1024 * 1024
"""Largest size of a body without its content encoding."""


@dataclass(frozen=True, slots=True, repr=False)
class SpApiResponse:
    """Amazon's response to one call.

    `headers` are pairs as Amazon sent them. `rate_limit` is in calls a second (0: Amazon sent none), `waited` the seconds of
    waiting for quota, `attempts` the number of requests sent to Amazon, `operation` the name in the catalogue (empty: unknown
    path). The repr shows status, request id and size, and never the body, which may hold buyers' data.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    amazon_request_id: str
    rate_limit: float
    attempts: int
    waited: float
    operation: str

    def __repr__(self) -> str:
        """Return status, request id and size."""
        size = f"{len(self.body)} bytes"
        return f"<SpApiResponse status={self.status} amazon_request_id={self.amazon_request_id!r} body={size}>"

    def json(self) -> Any:
        """Return the body, parsed. Raises ValueError for a body that is not JSON, or is nested deeper than any of Amazon's."""
        content_type, encoding = self._header("content-type"), self._header("content-encoding")
        return parsing.parse_json(self.body, most=MOST_JSON_BYTES, content_type=content_type, content_encoding=encoding)

    def text(self) -> str:
        """Return the body without its content encoding, as text. Raises ValueError for an unknown charset or wrong bytes."""
        content_type, encoding = self._header("content-type"), self._header("content-encoding")
        return parsing.parse_text(self.body, most=MOST_JSON_BYTES, content_type=content_type, content_encoding=encoding)

    def _header(self, name: str) -> str:
        return next((value for given, value in self.headers if given.lower() == name), "")

    @classmethod
    def from_message(cls, message: call_pb2.CallResponse) -> "SpApiResponse":
        """Return the response in a message of the gateway."""
        return cls(
            status=message.http_status,
            headers=tuple((header.name, header.value) for header in message.headers),
            body=message.body,
            amazon_request_id=message.amazon_request_id,
            rate_limit=message.rate_limit,
            attempts=message.attempts,
            waited=message.waited.ToMilliseconds() / 1000,
            operation=message.operation,
        )
