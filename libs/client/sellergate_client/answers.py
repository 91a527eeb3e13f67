"""What calls return."""

import json
from dataclasses import dataclass
from typing import Any

from sellergate.gateway.v1 import call_pb2


@dataclass(frozen=True, slots=True)
class Answer:
    """Amazon's answer to one call.

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
        """Return the body, parsed. Raises ValueError when it is not JSON."""
        return json.loads(self.body)

    @classmethod
    def from_message(cls, message: call_pb2.CallResponse) -> "Answer":
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
