"""The meaning of LWA's responses: an access token, a final refusal, or a failure that a retry may overcome.

LWA writes errors in the shape of RFC 6749 §5.2, not in SP-API's. Its error codes and their causes are known from Amazon's own SDK
(lwa_exception_error_code) and from public threads.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr
from sellergate_amazon import parsing
from sellergate_common.errors import (
    AmazonRefused,
    InvalidRequest,
    PreconditionFailed,
    Reason,
    SellergateError,
    Unavailable,
)

from sellergate_token.ports import AccessToken, Grant, RefreshToken, Scope

MOST_BYTES = 64 * 1024
"""The most bytes of a response, decompressed. LWA's have less than 8 KiB."""
_MAX_LIFE_SECONDS = 24 * 3600.0
_MAX_WORDS = 200
_TOO_MANY_REQUESTS = 429
# Statuses below 500 that are not about the request itself, which may be sent again.
_BUSY_STATUSES = frozenset({408, 425, _TOO_MANY_REQUESTS})
_BUSY_ERRORS = frozenset({"server_error", "temporarily_unavailable"})
_HELP = "https://developer-docs.amazon.com/sp-api/docs/connect-to-the-selling-partner-api"
_REFUSALS = {
    "invalid_client": (
        Reason.LWA_CLIENT_REJECTED,
        "Amazon refuses the application's LWA client id or secret (invalid_client); store the current secret.",
    ),
    "unauthorized_client": (
        Reason.LWA_CLIENT_REJECTED,
        "Amazon does not let this LWA client use the grant (unauthorized_client); check the application's registration.",
    ),
}
# Refusals of a refresh token. Here `unauthorized_client` is about the token; the client itself is valid.
_REFUSALS_OF_SELLERS = {
    "invalid_grant": (
        Reason.AUTHORIZATION_REVOKED,
        "Amazon refuses the seller's authorization (invalid_grant); let the seller authorize the application again.",
    ),
    "unauthorized_client": (
        Reason.AUTHORIZATION_MISMATCH,
        "The refresh token belongs to another LWA client (unauthorized_client); store the one of this application.",
    ),
}


class Busy(Unavailable):
    """A failure of LWA, by throttling, a fault or a broken connection, that a retry of the same exchange may overcome.

    `pause` is LWA's Retry-After in seconds; 0 where LWA names none.
    """

    pause: float = 0.0


@dataclass(frozen=True, slots=True)
class Response:
    """A complete response. The names of `headers` are in lower case; the body holds secrets and is not in the repr."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def __repr__(self) -> str:
        return f"Response({self.status})"

    def header(self, name: str) -> str:
        """Return a header; empty if there is none."""
        return self.headers.get(name, "")


def parse(response: Response, grant: Grant, received: float) -> AccessToken:
    """Return the access token of a response that was received at `received`, in seconds since the epoch.

    Raises PreconditionFailed, InvalidRequest and AmazonRefused for final refusals, Busy for a failure that a retry may overcome,
    Unavailable for a success that cannot be read.
    """
    try:
        document = parsing.parse_object(
            response.body,
            most=MOST_BYTES,
            content_type=response.header("content-type"),
            content_encoding=response.header("content-encoding"),
        )
    except parsing.ParseError as error:
        raise busy(f"LWA's response ({response.status}) cannot be read: {error}.", _pause(response)) from None
    if 200 <= response.status < 300:  # noqa: PLR2004  (HTTP's own numbers)
        return _token(document, received)
    raise _refusal(response, document, grant)


def busy(message: str, retry_after: float | None = None) -> Busy:
    """Return the error of an exchange that may be retried, after `retry_after` seconds if LWA named them."""
    error = Busy(f"{message} Try again.", reason=Reason.AMAZON_UNAVAILABLE, retry_after=retry_after or 1.0)
    error.pause = retry_after or 0.0
    return error


def _token(document: Mapping[str, Any], received: float) -> AccessToken:
    try:
        value = parsing.token_in(document, "access_token")
        life = min(parsing.seconds_in(document, "expires_in"), _MAX_LIFE_SECONDS)
        refresh_token = parsing.token_in(document, "refresh_token") if document.get("refresh_token") else None
    except parsing.ParseError as error:
        message = f"LWA's response holds no access token that can be used: {error}. Try again."
        raise Unavailable(message, reason=Reason.AMAZON_UNAVAILABLE, retry_after=1.0) from None
    return AccessToken(
        SecretStr(value), received + life, life, SecretStr(refresh_token) if refresh_token is not None else None
    )


def _refusal(response: Response, document: Mapping[str, Any], grant: Grant) -> SellergateError:
    error = parsing.words_in(document, "error", _MAX_WORDS)
    if error in ("invalid_scope", "invalid_grant") and not isinstance(grant, RefreshToken):
        field = "scope" if isinstance(grant, Scope) else "code"
        return InvalidRequest.of_field(field, f"is refused by Amazon ({error})")
    known = {**_REFUSALS, **(_REFUSALS_OF_SELLERS if isinstance(grant, RefreshToken) else {})}
    if error in known:
        reason, message = known[error]
        return PreconditionFailed(message, reason=reason, metadata={"lwa_error": error}, help_url=_HELP)
    summary = f"LWA responded {response.status} {error}".rstrip()
    if error and error not in _BUSY_ERRORS and response.status // 100 == 4 and response.status not in _BUSY_STATUSES:  # noqa: PLR2004
        return _refused(summary, error, parsing.words_in(document, "error_description", _MAX_WORDS), response.status)
    return busy(f"{summary}.", _pause(response))


def _refused(summary: str, error: str, description: str, status: int) -> AmazonRefused:
    denied = error == "access_denied"
    metadata = {"lwa_error": error, "amazon_code": error, "amazon_message": description, "http_status": str(status)}
    return AmazonRefused(
        f"{summary}: {description or 'no description'}. The same exchange is refused again; check the account's credentials.",
        reason=Reason.AMAZON_DENIED if denied else Reason.AMAZON_REJECTED,
        metadata={name: value for name, value in metadata.items() if value},
        help_url=_HELP,
    )


def _pause(response: Response) -> float | None:
    return parsing.retry_after(response.header("retry-after"), response.header("date"))
