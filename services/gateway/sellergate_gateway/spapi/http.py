"""Requests and responses of SP-API over HTTPS, and the ports that send and sign them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from sellergate_gateway.model import AwsCredentials

Headers = tuple[tuple[str, str], ...]


@dataclass(slots=True)
class AmazonRequest:
    """One HTTPS request. `url` is percent-encoded and sent exactly as it is. Secrets stay out of its repr."""

    method: str
    url: str
    headers: Headers
    body: bytes
    operation: str = ""
    """The operation's name in the catalogue, for traces; empty: an unknown path."""
    sent: bool = False
    """Set by the sender before the first byte; from then on the outcome may be unknown."""
    on_sent: Callable[[], None] | None = None
    """Called when the first byte is about to be sent."""

    def __repr__(self) -> str:
        return f"AmazonRequest({self.method})"


@dataclass(slots=True)
class AmazonResponse:
    """A complete response with unchanged headers and bytes."""

    status: int
    headers: Headers
    body: bytes

    def header(self, name: str) -> str:
        """Return the first header of this name, in any case; empty when there is none."""
        wanted = name.lower()
        for known, value in self.headers:
            if len(known) == len(wanted) and known.lower() == wanted:
                return value
        return ""


class _TransportError(Exception):
    """An attempt without a complete response. The message says why, without the URL.

    `late`: the given time ran out; `own`: this process or its machine is at fault, not Amazon.
    """

    def __init__(self, why: str, *, late: bool = False, own: bool = False) -> None:
        super().__init__(why)
        self.late = late
        self.own = own


class ConnectError(_TransportError):
    """A request that did not reach Amazon and is safe to send again."""


class ResponseLost(_TransportError):
    """A request that was sent, and that Amazon may have executed."""


class ResponseOversized(Exception):
    """A response to an executed call that is too large to be passed on. `response` has no body."""

    def __init__(self, response: AmazonResponse) -> None:
        super().__init__("the response is too large")
        self.response = response


class Signer(Protocol):
    """AWS Signature Version 4."""

    def sign(self, request: AmazonRequest, credentials: AwsCredentials, region: str) -> AmazonRequest:
        """Return the request with its signature, for execute-api in an AWS region."""


class Amazon(Protocol):
    """Selling Partner API over HTTPS."""

    async def send(self, request: AmazonRequest, seconds: float) -> AmazonResponse:
        """Send a request and return the complete response within `seconds`.

        Raises ConnectError, ResponseLost, ResponseOversized.
        """
