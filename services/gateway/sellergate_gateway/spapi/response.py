"""The classification of Amazon's responses, by their status."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sellergate_amazon import parsing

from sellergate_gateway.spapi.http import AmazonResponse

REQUEST_ID = "x-amzn-RequestId"
RATE_LIMIT = "x-amzn-RateLimit-Limit"
_MAX_MESSAGE = 500
_MAX_RATE = 1_000_000.0
_MAX_ERROR_BYTES = 1_000_000
MOST_READ_BYTES = 4 * 1024 * 1024
"""The most bytes of JSON that is parsed, decompressed; larger bodies are passed on without parsing."""
MOST_READ_VALUES = 400_000
"""The most values of one body. Amazon's pages have at most one value per ten bytes."""
MOST_PAGE_BYTES, MOST_PAGE_VALUES = 16 * 1024 * 1024, 1_600_000
"""The most bytes of a page that is parsed for its next token; Amazon's pages of financial events have up to 10 MB."""
# The words of Amazon's 403 about a token; every other 403 is about missing rights (SP-API "resolving 403 errors").
_TOKEN, _TOKEN_FAULTS = ("access token",), ("expired", "revoked", "malformed", "invalid")
# amzn/selling-partner-api-models#4489: an expired secret of the application, for which LWA still issues tokens.
_CLIENT_SECRET, _CLIENT_SECRET_FAULTS = ("lwa client secret", "lwa secret"), ("expired",)
_SESSION = tuple(f"security token included in the request is {fault}" for fault in ("expired", "invalid"))
# The smallest rate that Amazon publishes is 0.0056 (searchOrders). Divisions by a rate need one that is not almost zero.
_MIN_RATE = 1 / 3600


class Kind(StrEnum):
    """The meaning of a response."""

    SUCCESS = "SUCCESS"
    TOKEN_REFUSED = "TOKEN_REFUSED"
    """Amazon refused the token and did nothing."""
    THROTTLED = "THROTTLED"
    """The quota was used up, and Amazon did nothing."""
    UNAVAILABLE = "UNAVAILABLE"
    """SP-API itself responded 503 and did nothing."""
    SERVER_ERROR = "SERVER_ERROR"
    """A server error after which the outcome is unknown."""
    TIMED_OUT = "TIMED_OUT"
    """408: Amazon ran out of time, and the outcome is unknown (Seller Wallet API model)."""
    CREDENTIALS_REFUSED = "CREDENTIALS_REFUSED"
    """The session of the signature has expired, and Amazon did nothing."""
    CLIENT_REFUSED = "CLIENT_REFUSED"
    """The application's LWA client secret has expired, and Amazon did nothing."""
    FORBIDDEN = "FORBIDDEN"
    """Amazon refused the call for missing rights, usually without a reason."""
    NOT_FOUND = "NOT_FOUND"
    """404: Amazon has no such resource."""
    CONFLICT = "CONFLICT"
    """409: the resource is in another state than the call requires."""
    REFUSED = "REFUSED"
    """Amazon validated the call and refused it."""


_BY_STATUS = {404: Kind.NOT_FOUND, 408: Kind.TIMED_OUT, 409: Kind.CONFLICT, 429: Kind.THROTTLED}


@dataclass(frozen=True, slots=True)
class AmazonError:
    """One error that a response of Amazon's names."""

    code: str
    message: str
    details: str


@dataclass(frozen=True, slots=True)
class Classification:
    """The meaning of a response, with the first error that it names."""

    kind: Kind
    error: AmazonError | None


_SUCCESS = Classification(Kind.SUCCESS, None)


def classify(response: AmazonResponse) -> Classification:
    """Return the meaning of a response. Statuses decide, not codes, since Amazon's codes are not a stable enum."""
    status = response.status
    if 200 <= status < 300:  # noqa: PLR2004
        return _SUCCESS
    errors = errors_of(response)
    error = errors[0] if errors else None
    if status in (401, 403):
        return Classification(_denial(errors), error)
    # A 503 without a code is from a proxy in front of SP-API, which cannot know the outcome.
    if status == 503 and any(one.code for one in errors):  # noqa: PLR2004
        return Classification(Kind.UNAVAILABLE, error)
    if status >= 500:  # noqa: PLR2004
        return Classification(Kind.SERVER_ERROR, error)
    return Classification(_BY_STATUS.get(status, Kind.REFUSED), error)


def _denial(errors: list["AmazonError"]) -> Kind:
    if any(_mentions(f"{one.message} {one.details}", _CLIENT_SECRET, _CLIENT_SECRET_FAULTS) for one in errors):
        return Kind.CLIENT_REFUSED
    if any(_mentions(one.details, _TOKEN, _TOKEN_FAULTS) for one in errors):
        return Kind.TOKEN_REFUSED
    if any(_mentions(f"{one.message} {one.details}", _SESSION) for one in errors):
        return Kind.CREDENTIALS_REFUSED
    return Kind.FORBIDDEN


def _mentions(text: str, subjects: tuple[str, ...], faults: tuple[str, ...] = ("",)) -> bool:
    """Return whether one of the faults follows one of the subjects, without regard to case."""
    lowered = text.lower()
    found = (lowered.find(subject) for subject in subjects)
    return any(start >= 0 and any(lowered.find(fault, start) >= 0 for fault in faults) for start in found)


def errors_of(response: AmazonResponse) -> list[AmazonError]:
    """Return Amazon's errors in all their forms: in `errors`, single or in an array; none from HTML or an empty body.

    A member that is not an error is skipped, so that it hides no other.
    """
    try:
        body = json_of(response, _MAX_ERROR_BYTES)
    except parsing.ParseError:
        return []
    found = (body.get("errors") or body) if isinstance(body, dict) else body
    return [
        AmazonError(*(parsing.words_in(row, name, _MAX_MESSAGE) for name in ("code", "message", "details")))
        for row in (found if isinstance(found, list) else [found])
        if isinstance(row, dict) and ("code" in row or "message" in row)
    ]


def json_of(response: AmazonResponse, most: int = MOST_READ_BYTES) -> Any:
    """Return the JSON of a response, decompressed if the caller requested gzip. Raises ParseError."""
    return parsing.parse_json(
        response.body,
        most=most,
        content_type=response.header("content-type"),
        content_encoding=response.header("content-encoding"),
        most_values=MOST_READ_VALUES,
    )


def outline_of(response: AmazonResponse) -> dict[str, Any]:
    """Return the outline of a page: its JSON without what its lists hold. Raises ParseError; TooLarge for one beyond the bounds."""
    return parsing.object_of(
        parsing.parse_outline(
            response.body,
            most=MOST_PAGE_BYTES,
            most_values=MOST_PAGE_VALUES,
            content_type=response.header("content-type"),
            content_encoding=response.header("content-encoding"),
        )
    )


def object_of(response: AmazonResponse) -> dict[str, Any]:
    """Return the JSON object of a response. Raises ParseError."""
    return parsing.object_of(json_of(response))


def rate_limit_of(response: AmazonResponse) -> float:
    """Return the rate that Amazon reports, in calls per second; 0 if it reports none, as in refusals."""
    try:
        rate = float(response.header(RATE_LIMIT) or 0)
    except ValueError:
        return 0.0
    return rate if _MIN_RATE <= rate < _MAX_RATE else 0.0


def retry_after_of(response: AmazonResponse) -> float | None:
    """Return the seconds of Retry-After, at most an hour; None if there is none. Amazon is not known to send it.

    A date (RFC 9110 §10.2.3) counts from the response's own Date, so that Sellergate's clock does not matter.
    """
    return parsing.retry_after(response.header("retry-after"), response.header("date"))
