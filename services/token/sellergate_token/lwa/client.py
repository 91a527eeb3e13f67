"""Login with Amazon over HTTPS: the three grants, and what its refusals mean.

LWA has one endpoint for all regions and answers errors as RFC 6749 §5.2 says, not in SP-API's shape.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from pydantic import SecretStr
from sellergate_common.context import time_left
from sellergate_common.errors import InvalidRequest, OutOfTime, PreconditionFailed, Reason, Unavailable
from sellergate_common.observability.logs import get_logger
from sellergate_common.observability.tracing import span

from sellergate_token.ports import AccessToken, Code, Grant, RefreshToken, Scope

EXCHANGE_SECONDS = 10.0
ATTEMPTS = 3
FIRST_BACKOFF_SECONDS = 0.2
_MAX_LIFE_SECONDS = 24 * 3600
# What LWA's answer says → what it means. Everything else is worth another attempt, or is Amazon's trouble.
_REFUSALS = {
    "invalid_grant": (
        Reason.AUTHORIZATION_REVOKED,
        "Amazon refuses the seller's authorization (invalid_grant); let the seller authorize the application again.",
    ),
    "invalid_client": (
        Reason.LWA_CLIENT_REJECTED,
        "Amazon refuses the application's LWA client id or secret (invalid_client); store the current secret.",
    ),
    "unauthorized_client": (
        Reason.LWA_CLIENT_REJECTED,
        "Amazon does not let this LWA client use the grant (unauthorized_client); check the application's registration.",
    ),
}
_HELP = "https://developer-docs.amazon.com/sp-api/docs/connect-to-the-selling-partner-api"


class HttpLwa:
    """LWA's token endpoint. Throttling and server errors are repeated with full jitter while there is time."""

    def __init__(self, client: httpx.AsyncClient, url: str) -> None:
        self._client = client
        self._url = url

    async def exchange(self, client_id: SecretStr, client_secret: SecretStr, grant: Grant) -> AccessToken:
        """Exchange a grant for an access token."""
        form = _form(grant) | {
            "client_id": client_id.get_secret_value(),
            "client_secret": client_secret.get_secret_value(),
        }
        for attempt in range(ATTEMPTS):
            try:
                return await self._exchange(form, grant)
            except Unavailable as error:
                pause = random.uniform(0, FIRST_BACKOFF_SECONDS * 2**attempt)  # noqa: S311  (jitter, not a secret)
                if attempt + 1 == ATTEMPTS or pause >= time_left(EXCHANGE_SECONDS):
                    raise
                get_logger().info("lwa_retry", attempt=attempt + 1, cause=error.message)
                await asyncio.sleep(pause)
        raise AssertionError("the last attempt returns or raises")

    async def _exchange(self, form: dict[str, str], grant: Grant) -> AccessToken:
        left = min(EXCHANGE_SECONDS, time_left(EXCHANGE_SECONDS))
        if left <= 0:
            raise OutOfTime("No time was left to ask LWA for an access token.")
        try:
            with span(f"LWA {form['grant_type']}"):
                async with asyncio.timeout(left):
                    response = await self._client.post(self._url, data=form)
        except TimeoutError:
            raise OutOfTime(f"LWA did not answer within {left:.1f} s.") from None
        except httpx.HTTPError as error:
            # The cause is not chained: an httpx error holds the request, and that holds the secrets.
            raise _unavailable(f"LWA cannot be reached ({type(error).__name__}).") from None
        return _read(response, grant)


def _form(grant: Grant) -> dict[str, str]:
    """Write a grant. A scope must not be sent with a refresh token, nor the reverse."""
    match grant:
        case RefreshToken(value):
            return {"grant_type": "refresh_token", "refresh_token": value.get_secret_value()}
        case Scope(value):
            return {"grant_type": "client_credentials", "scope": value}
        case Code(value, redirect_uri):
            code = {"grant_type": "authorization_code", "code": value.get_secret_value()}
            return code | ({"redirect_uri": redirect_uri} if redirect_uri else {})


def _read(response: httpx.Response, grant: Grant) -> AccessToken:
    """Read LWA's answer. Raises PreconditionFailed and InvalidRequest for refusals, Unavailable for the rest."""
    received = time.time()
    try:
        body: Any = response.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        kind = response.headers.get("content-type", "no content type")
        raise _unavailable(f"LWA answered {response.status_code} with {kind} instead of JSON.")
    if response.is_success and isinstance(body.get("access_token"), str) and _life(body) > 0:
        refresh_token = body.get("refresh_token")
        return AccessToken(
            SecretStr(body["access_token"]),
            received + _life(body),
            _life(body),
            SecretStr(refresh_token) if isinstance(refresh_token, str) and refresh_token else None,
        )
    error = body.get("error")
    if error in ("invalid_scope", "invalid_grant") and not isinstance(grant, RefreshToken):
        field = "scope" if isinstance(grant, Scope) else "code"
        raise InvalidRequest.of_field(field, f"is refused by Amazon ({error})")
    if isinstance(error, str) and error in _REFUSALS:
        reason, message = _REFUSALS[error]
        raise PreconditionFailed(message, reason=reason, metadata={"lwa_error": error}, help_url=_HELP)
    raise _unavailable(f"LWA answered {response.status_code} {error if isinstance(error, str) else ''}".rstrip() + ".")


def _life(body: dict[str, Any]) -> float:
    life = body.get("expires_in")
    return min(float(life), _MAX_LIFE_SECONDS) if isinstance(life, int | float) else 0.0


def _unavailable(message: str) -> Unavailable:
    return Unavailable(f"{message} Try again.", reason=Reason.AMAZON_UNAVAILABLE, retry_after=1.0)


@asynccontextmanager
async def open_lwa(url: str) -> AsyncIterator[HttpLwa]:
    """Open a client of the token endpoint at `url`. Redirects are not followed: they would carry the secrets along."""
    limits = httpx.Limits(max_connections=16, max_keepalive_connections=8)
    async with httpx.AsyncClient(timeout=EXCHANGE_SECONDS, limits=limits, follow_redirects=False) as client:
        yield HttpLwa(client, url)
