"""What Amazon's response means: classified once, and turned into one typed error that says what to do."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sellergate_amazon import parsing
from sellergate_common.errors import RULES, Reason, ResponseTooLarge, SellergateError

from sellergate_gateway.spapi.http import AmazonResponse

REQUEST_ID = "x-amzn-RequestId"
RATE_LIMIT = "x-amzn-RateLimit-Limit"
_MAX_MESSAGE = 500
_MOST_SAID = 500
"""Characters of Amazon's errors in one message."""
_MAX_RATE = 1_000_000.0
_MAX_ERROR_BYTES = 1_000_000
MOST_READ_BYTES = 4 * 1024 * 1024
"""The largest JSON that is read, once it is unpacked; larger bodies are passed on and not read."""
MOST_READ_VALUES = 400_000
"""Of one body. Amazon's pages have one value for each ten bytes or more."""
MOST_PAGE_BYTES, MOST_PAGE_VALUES = 16 * 1024 * 1024, 1_600_000
"""Of a page that is read for what asks for the next one; Amazon's pages of financial events have up to 10 MB."""
# The words of Amazon's 403 when the token is at fault; every other 403 is about rights and final (SP-API "resolving 403 errors").
_TOKEN, _TOKEN_FAULTS = ("access token",), ("expired", "revoked", "malformed", "invalid")
# amzn/selling-partner-api-models#4489: the secret of the application, for which LWA still gives tokens.
_CLIENT_SECRET, _CLIENT_SECRET_FAULTS = ("lwa client secret", "lwa secret"), ("expired",)
_SESSION = tuple(f"security token included in the request is {fault}" for fault in ("expired", "invalid"))
# The smallest rate that Amazon publishes is 0.0056 (searchOrders). What divides by a rate needs one that is not next to zero.
_MIN_RATE = 1 / 3600
_HELP = "https://developer-docs.amazon.com/sp-api/docs/sp-api-errors-faq"


_ADVICE = {
    Reason.AMAZON_QUOTA_EXCEEDED: "The quota of this operation is used up; call again later.",
    Reason.AMAZON_UNAVAILABLE: "Try again.",
    Reason.LWA_CLIENT_REJECTED: (
        "The application's LWA client secret has expired: rotate it in Amazon's developer console and store the new one."
    ),
    Reason.AMAZON_OUTCOME_UNKNOWN: "It may have done what was asked; look before you repeat it.",
}


class Kind(StrEnum):
    """The meaning of a response."""

    SUCCESS = "SUCCESS"
    TOKEN_REFUSED = "TOKEN_REFUSED"
    """Amazon did nothing, for the token was at fault."""
    THROTTLED = "THROTTLED"
    """Amazon did nothing, for the quota was used up."""
    UNAVAILABLE = "NOT_NOW"
    """SP-API itself says 503: it did nothing."""
    SERVER_ERROR = "BROKEN"
    """A server error that tells nothing of what was done."""
    CREDENTIALS_REFUSED = "CREDENTIALS_REFUSED"
    """Amazon did nothing, for the session of the signature has ended."""
    CLIENT_REFUSED = "CLIENT_REFUSED"
    """Amazon did nothing, for the application's LWA client secret has expired."""
    FORBIDDEN = "DENIED"
    """Amazon looked at who calls and refused; why, it rarely says."""
    REFUSED = "REFUSED"
    """Amazon looked at the call and refused it."""


@dataclass(frozen=True, slots=True)
class AmazonError:
    """One error of Amazon's."""

    code: str
    message: str
    details: str


@dataclass(frozen=True, slots=True)
class Classification:
    """A response, read."""

    kind: Kind
    error: AmazonError | None


_SUCCESS = Classification(Kind.SUCCESS, None)


def classify(response: AmazonResponse) -> Classification:
    """Tell what a response means. Statuses decide, never codes: they are no stable enum."""
    if 200 <= response.status < 300:  # noqa: PLR2004
        return _SUCCESS
    errors = errors_of(response)
    error = errors[0] if errors else None
    if response.status == 429:  # noqa: PLR2004
        return Classification(Kind.THROTTLED, error)
    if response.status in (401, 403):
        return Classification(_denial(errors), error)
    # Without a code it is not SP-API that speaks but what stands before it, and that cannot know what was done.
    if response.status == 503 and any(one.code for one in errors):  # noqa: PLR2004
        return Classification(Kind.UNAVAILABLE, error)
    if response.status >= 500:  # noqa: PLR2004
        return Classification(Kind.SERVER_ERROR, error)
    return Classification(Kind.REFUSED, error)


def _denial(errors: list["AmazonError"]) -> Kind:
    if any(_mentions(f"{one.message} {one.details}", _CLIENT_SECRET, _CLIENT_SECRET_FAULTS) for one in errors):
        return Kind.CLIENT_REFUSED
    if any(_mentions(one.details, _TOKEN, _TOKEN_FAULTS) for one in errors):
        return Kind.TOKEN_REFUSED
    if any(_mentions(f"{one.message} {one.details}", _SESSION) for one in errors):
        return Kind.CREDENTIALS_REFUSED
    return Kind.FORBIDDEN


def _mentions(text: str, subjects: tuple[str, ...], faults: tuple[str, ...] = ("",)) -> bool:
    """Return whether one of the faults follows one of the subjects, in upper or lower case."""
    lowered = text.lower()
    found = (lowered.find(subject) for subject in subjects)
    return any(start >= 0 and any(lowered.find(fault, start) >= 0 for fault in faults) for start in found)


def errors_of(response: AmazonResponse) -> list[AmazonError]:
    """Read Amazon's errors in all their shapes: `errors`, a bare array, a bare object; none from HTML or an empty body."""
    try:
        body = json_of(response, _MAX_ERROR_BYTES)
    except parsing.ParseError:
        return []
    rows = body.get("errors", [body]) if isinstance(body, dict) else body
    return [
        AmazonError(*(parsing.words_in(row, name, _MAX_MESSAGE) for name in ("code", "message", "details")))
        for row in parsing.objects_in({"rows": rows}, "rows")
        if "code" in row or "message" in row
    ]


def json_of(response: AmazonResponse, most: int = MOST_READ_BYTES) -> Any:
    """Return the JSON of a response, unpacked where a caller asked for gzip. Raises ParseError."""
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
    """Return the rate that Amazon tells, in calls a second; 0 when it tells none. It tells none on refusals."""
    try:
        rate = float(response.header(RATE_LIMIT) or 0)
    except ValueError:
        return 0.0
    return rate if _MIN_RATE <= rate < _MAX_RATE else 0.0


def retry_after_of(response: AmazonResponse) -> float | None:
    """Return the seconds of Retry-After, an hour at most; None when there is none. Amazon is not known to send it.

    A date (RFC 9110 §10.2.3) counts from the response's own Date, so that no clock of ours matters.
    """
    return parsing.retry_after(response.header("retry-after"), response.header("date"))


def oversized(response: AmazonResponse, operation: str) -> ResponseTooLarge:
    """Return the error of a call that Amazon carried out, with a response that is too large to be passed on."""
    return ResponseTooLarge(
        f"Amazon answered {response.status} with a response above 16 MiB, which cannot be passed on. The "
        f"call is done: do not repeat"
        " a write; for a read, ask for less at once.",
        metadata=_metadata(response, None, operation),
    )


def to_error(
    response: AmazonResponse,
    found: Classification,
    operation: str,
    *,
    idempotent: bool,
    interval: float,
    personal: bool,
) -> SellergateError:
    """Return the typed error of a response that is not a success.

    `interval`: seconds between two calls within quota; `personal`: the call was made with a Restricted Data Token.
    """
    reason = _reason(response.status, found.kind, idempotent=idempotent)
    retry_after = {Reason.AMAZON_UNAVAILABLE: 1.0, Reason.AMAZON_QUOTA_EXCEEDED: interval}.get(reason)
    return RULES[reason].error(
        _words(response, found, reason, personal=personal),
        reason=reason,
        metadata=_metadata(response, found.error, operation),
        retry_after=retry_after_of(response) or retry_after,
        help_url=_HELP if reason is Reason.AMAZON_DENIED else None,
    )


def _metadata(response: AmazonResponse, error: AmazonError | None, operation: str) -> dict[str, str]:
    said = error or AmazonError("", "", "")
    metadata = {
        "amazon_code": said.code,
        "amazon_message": said.message,
        "amazon_details": said.details,
        "amazon_request_id": parsing.printable(response.header(REQUEST_ID), 128),
        "http_status": str(response.status),
        "operation": operation,
    }
    return {key: value for key, value in metadata.items() if value}


def _reason(status: int, kind: Kind, *, idempotent: bool) -> Reason:
    if kind is Kind.THROTTLED:
        return Reason.AMAZON_QUOTA_EXCEEDED
    if kind is Kind.UNAVAILABLE or (kind is Kind.SERVER_ERROR and idempotent):
        return Reason.AMAZON_UNAVAILABLE
    if kind is Kind.SERVER_ERROR:
        return Reason.AMAZON_OUTCOME_UNKNOWN
    if kind is Kind.CLIENT_REFUSED:
        return Reason.LWA_CLIENT_REJECTED
    return {
        401: Reason.AMAZON_DENIED,
        403: Reason.AMAZON_DENIED,
        404: Reason.AMAZON_NOT_FOUND,
        409: Reason.AMAZON_CONFLICT,
    }.get(status, Reason.AMAZON_REJECTED)


def _words(response: AmazonResponse, found: Classification, reason: Reason, *, personal: bool) -> str:
    said = f"Amazon answered {response.status} {_all_said(errors_of(response))}"
    advice = denial_hint(found, personal=personal) if reason is Reason.AMAZON_DENIED else _ADVICE.get(reason, "")
    return f"{said.rstrip(':. ')}. {advice}".rstrip()


def _all_said(errors: list[AmazonError]) -> str:
    """Return code, message and details of all errors, cut where they leave no room for advice in the message of a status."""
    texts = list[str]()
    for error in errors:
        details = f" ({error.details})" if error.details and error.details != error.message else ""
        texts.append(": ".join(filter(None, (error.code, error.message))) + details)
    said = "; ".join(dict.fromkeys(texts))
    return said if len(said) <= _MOST_SAID else said[:_MOST_SAID] + "…"


def denial_hint(found: Classification, *, personal: bool) -> str:
    """Return what can be known of a 401 or 403, and the way out (SP-API "resolving 403 errors", and threads about each kind)."""
    if found.kind is Kind.TOKEN_REFUSED:
        return "It refuses a fresh access token too; let the seller authorize the application again."
    if found.kind is Kind.CREDENTIALS_REFUSED:
        return "It refuses a fresh session of the account's role too; see that the role trusts us, or set signing_mode NONE."
    code = found.error.code if found.error else ""
    if code == "InvalidSignature":
        return "It does not accept the signature; Amazon needs none since 2023-10-02: set the account's signing_mode to NONE."
    if code == "MissingAuthenticationToken":
        return "There is no such operation at this host; check method and path, and whether the sandbox has it."
    if personal:
        return (
            "The application may lack the role for this personal data, or the resource is another seller's; check its roles, and"
            " let the seller authorize it again after it has got one."
        )
    return (
        "The application lacks a role for this operation, the seller has not granted it, or the resource belongs to another region;"
        " check the application's roles and the account's marketplace."
    )
