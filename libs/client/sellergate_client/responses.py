"""What calls return."""

from dataclasses import dataclass
from typing import Any

from sellergate.gateway.v1 import call_pb2
from sellergate_amazon import parsing

MOST_JSON_BYTES = 256 * 1024 * 1024
"""What a packed response may become."""


@dataclass(frozen=True, slots=True)
class SpApiResponse:
    """Amazon's response to one call.

    `headers` are pairs as Amazon sent them, `rate_limit` is in calls a second (0: not told), `waited` are the seconds spent
    waiting for quota, `attempts` the requests sent to Amazon, `operation` the catalogue's name (empty: unknown path).
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    amazon_request_id: str
    rate_limit: float
    attempts: int
    waited: float
    operation: str

    def json(self) -> Any:
        """Return the body, parsed. Raises ValueError when it is not JSON, or nested deeper than any of Amazon's."""
        named = {name.lower(): value for name, value in reversed(self.headers)}
        return parsing.parse_json(
            self.body,
            most=MOST_JSON_BYTES,
            content_type=named.get("content-type", ""),
            content_encoding=named.get("content-encoding", ""),
        )

    @classmethod
    def from_message(cls, message: call_pb2.CallResponse) -> "SpApiResponse":
        """Read the gateway's message."""
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
