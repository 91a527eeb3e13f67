"""A client of LWA's token endpoint, which is the same for all regions: grants as forms, time limits and retries."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Protocol

from pydantic import SecretStr
from sellergate_amazon import parsing
from sellergate_common.clock import Clock
from sellergate_common.context import time_left
from sellergate_common.errors import OutOfTime
from sellergate_common.observability.logs import get_logger
from sellergate_common.observability.tracing import span
from sellergate_common.slots import Slots

from sellergate_token.lwa.responses import Busy, Response, busy, parse
from sellergate_token.ports import AccessToken, Code, Grant, RefreshToken, Scope

EXCHANGE_SECONDS = 10.0
ATTEMPTS = 3
FIRST_BACKOFF_SECONDS = 0.2
MOST_EXCHANGES = 64
"""The most simultaneous exchanges; further ones wait, within their deadlines."""


class Unreachable(Exception):
    """A request that was not responded to; the message names the kind of error and holds no part of the request."""


class Transport(Protocol):
    """HTTP to LWA's token endpoint. The caller limits the time by a cancellation, which ends the request."""

    async def post(self, form: Mapping[str, str]) -> Response:
        """Send a form and return the complete response. Raises Unreachable, TimeoutError and parsing.TooLarge."""


class HttpLwa:
    """LWA's token endpoint. Throttling and server errors are retried while there is time, never before Retry-After.

    `jitter` returns a random number in [0, 1).
    """

    def __init__(self, transport: Transport, slots: Slots, clock: Clock, jitter: Callable[[], float]) -> None:
        self._transport = transport
        self.slots = slots
        self._clock = clock
        self._jitter = jitter

    async def exchange(self, client_id: SecretStr, client_secret: SecretStr, grant: Grant) -> AccessToken:
        """Exchange a grant for an access token."""
        form = _form(grant) | {
            "client_id": client_id.get_secret_value(),
            "client_secret": client_secret.get_secret_value(),
        }
        for attempt in range(ATTEMPTS):
            try:
                return await self._exchange(form, grant)
            except Busy as error:
                pause = max(self._jitter() * FIRST_BACKOFF_SECONDS * 2**attempt, error.pause)
                if attempt + 1 == ATTEMPTS or pause >= time_left(EXCHANGE_SECONDS):
                    raise
                get_logger().info("lwa_retry", attempt=attempt + 1, cause=error.message)
                await self._clock.sleep(pause)
        raise AssertionError("the last attempt returns or raises")

    async def _exchange(self, form: dict[str, str], grant: Grant) -> AccessToken:
        left = min(EXCHANGE_SECONDS, time_left(EXCHANGE_SECONDS))
        if left <= 0:
            raise OutOfTime("No time was left to request an access token from LWA; give the call more time.")
        try:
            with span(f"LWA {form['grant_type']}"):
                async with asyncio.timeout(left):
                    await self.slots.take()
                    # Amazon counts the token's life from a moment after this one, and this process may see the response late.
                    sent = self._clock.wall()
                    response = await self._post(form)
        except TimeoutError:
            raise OutOfTime(f"LWA did not respond within {left:.1f} s.") from None
        except Unreachable as error:
            raise busy(f"LWA cannot be reached ({error}).") from None
        except parsing.TooLarge as error:
            raise busy(f"LWA's response cannot be read: {error}.") from None
        return parse(response, grant, sent)

    async def _post(self, form: dict[str, str]) -> Response:
        """Send a request in the caller's slot, and release the slot."""
        has_response = False
        try:
            response = await self._transport.post(form)
            has_response = True
            return response
        finally:
            self.slots.give_back(has_response=has_response)


def _form(grant: Grant) -> dict[str, str]:
    """Return the form of a grant. LWA accepts a scope or a refresh token, not both."""
    match grant:
        case RefreshToken(value):
            return {"grant_type": "refresh_token", "refresh_token": value.get_secret_value()}
        case Scope(value):
            return {"grant_type": "client_credentials", "scope": value}
        case Code(value, redirect_uri):
            code = {"grant_type": "authorization_code", "code": value.get_secret_value()}
            return code | ({"redirect_uri": redirect_uri} if redirect_uri else {})
