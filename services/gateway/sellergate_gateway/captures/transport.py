"""The `Amazon` port with captures of some calls."""

from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any

from sellergate_amazon.operations import Catalogue
from sellergate_common.clock import Clock
from sellergate_common.context import current_call
from sellergate_common.observability.logs import get_logger

from sellergate_gateway.captures.redaction import build_exchange
from sellergate_gateway.captures.service import Capture, Captures, Look
from sellergate_gateway.spapi.http import (
    Amazon,
    AmazonRequest,
    AmazonResponse,
    ConnectError,
    ResponseLost,
    ResponseOversized,
)


class CapturingAmazon:
    """A wrapper of another `Amazon` that records captured exchanges."""

    def __init__(self, amazon: Amazon, captures: Captures, catalogue: Catalogue, clock: Clock) -> None:
        self._clock = clock
        self._amazon = amazon
        self._captures = captures
        self._catalogue = catalogue

    def send(self, request: AmazonRequest, seconds: float) -> Coroutine[Any, Any, AmazonResponse]:
        """Send a request and return the complete response."""
        call = None if self._captures.idle else current_call()
        captures = self._captures.of(call.account_id, request.operation) if call else ()
        operation = self._catalogue.get(request.operation) if captures else None
        if call is None or operation is None:
            return self._amazon.send(request, seconds)
        with_bodies = not all(one.is_listed for one in captures)
        look = partial(build_exchange, operation, request, request_id=call.request_id, with_bodies=with_bodies)
        return self._send_captured(request, seconds, captures, look)

    async def _send_captured(
        self, request: AmazonRequest, seconds: float, captures: Sequence[Capture], look: Callable[..., Look]
    ) -> AmazonResponse:
        response, failure = None, "the caller disconnected, or its deadline passed"
        start_time, began = self._clock.wall(), self._clock.monotonic()
        try:
            response = await self._amazon.send(request, seconds)
        except (ConnectError, ResponseLost, ResponseOversized) as error:
            failure = str(error)
            raise
        else:
            failure = ""
            return response
        finally:
            took = self._clock.monotonic() - began
            try:
                self._captures.submit(captures, look(response, start_time=start_time, seconds=took, failure=failure))
            except Exception as error:  # noqa: BLE001  (a capture may not change the outcome of the call)
                get_logger().warning("capture_failed", cause=type(error).__name__)
