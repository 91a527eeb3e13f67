"""The typed errors of failed calls, each with the next step of the caller."""

from sellergate_amazon import parsing
from sellergate_common.errors import RULES, Reason, ResponseTooLarge, SellergateError

from sellergate_gateway.spapi.http import AmazonResponse
from sellergate_gateway.spapi.response import REQUEST_ID, AmazonError, Classification, Kind, errors_of, retry_after_of

_HELP = "https://developer-docs.amazon.com/sp-api/docs/sp-api-errors-faq"
_RETRY_SECONDS = 1.0
_MOST_CHARACTERS = 500
"""The most characters of Amazon's errors in one message."""
_ADVICE = {
    Reason.AMAZON_QUOTA_EXCEEDED: "The quota of this operation is used up; call again later.",
    Reason.AMAZON_UNAVAILABLE: "Try again.",
    Reason.LWA_CLIENT_REJECTED: (
        "The application's LWA client secret has expired: rotate it in Amazon's developer console and store the new one."
    ),
    Reason.AMAZON_OUTCOME_UNKNOWN: "Amazon may have executed this write; check before you repeat it.",
}
_MISSING = {
    Reason.AMAZON_OUTCOME_UNKNOWN: (
        "Amazon's response to this write did not arrive ({why}). Amazon may have executed it; check before you repeat it."
    ),
    Reason.DEADLINE_EXCEEDED: "Amazon did not respond in time ({why}); give the call more time.",
    Reason.AMAZON_UNAVAILABLE: "Amazon's response did not arrive ({why}). Try again.",
    Reason.DEPENDENCY_UNAVAILABLE: (
        "The gateway cannot open a connection ({why}): it lacks descriptors, a resolver or trusted certificates. Nothing was"
        " sent. Try again."
    ),
}
_NOT_SENT = "Amazon cannot be reached ({why}); nothing was sent. Try again."


def of_missing_response(why: str, reason: Reason, operation: str, *, sent: bool = True) -> SellergateError:
    """Return the error of an attempt without a response. `why` holds no URL; `sent`: the request left this process."""
    text = _MISSING[reason] if sent or reason is not Reason.AMAZON_UNAVAILABLE else _NOT_SENT
    metadata = {"operation": operation}
    if reason is Reason.DEPENDENCY_UNAVAILABLE:
        metadata["dependency"] = "gateway"
    repeatable = reason in (Reason.AMAZON_UNAVAILABLE, Reason.DEPENDENCY_UNAVAILABLE)
    retry_after = _RETRY_SECONDS if repeatable else None
    return RULES[reason].error(text.format(why=why), reason=reason, metadata=metadata, retry_after=retry_after)


def of_large_response(response: AmazonResponse, operation: str) -> ResponseTooLarge:
    """Return the error of a call that Amazon executed, with a response that is too large to be passed on."""
    return ResponseTooLarge(
        f"Amazon responded {response.status} with a body above 16 MiB, which cannot be passed on. The call is done: do not repeat"
        " a write; for a read, request less at once.",
        metadata=_metadata(response, None, operation),
    )


def of_refusal(
    response: AmazonResponse,
    found: Classification,
    reason: Reason,
    operation: str,
    *,
    interval: float,
    personal: bool,
) -> SellergateError:
    """Return the error of a response that is not a success.

    `interval`: seconds between two calls within quota; `personal`: the call used a Restricted Data Token.
    """
    retry_after = {Reason.AMAZON_UNAVAILABLE: _RETRY_SECONDS, Reason.AMAZON_QUOTA_EXCEEDED: interval}.get(reason)
    return RULES[reason].error(
        _message(response, found, reason, personal=personal),
        reason=reason,
        metadata=_metadata(response, found.error, operation),
        retry_after=retry_after_of(response) or retry_after,
        help_url=_HELP if reason is Reason.AMAZON_DENIED else None,
    )


def _metadata(response: AmazonResponse, error: AmazonError | None, operation: str) -> dict[str, str]:
    named = error or AmazonError("", "", "")
    metadata = {
        "amazon_code": named.code,
        "amazon_message": named.message,
        "amazon_details": named.details,
        "amazon_request_id": parsing.printable(response.header(REQUEST_ID), 128),
        "http_status": str(response.status),
        "operation": operation,
    }
    return {key: value for key, value in metadata.items() if value}


def _message(response: AmazonResponse, found: Classification, reason: Reason, *, personal: bool) -> str:
    text = f"Amazon responded {response.status} {_all_errors(errors_of(response))}"
    advice = denial_hint(found, personal=personal) if reason is Reason.AMAZON_DENIED else _ADVICE.get(reason, "")
    return f"{text.rstrip(':. ')}. {advice}".rstrip()


def _all_errors(errors: list[AmazonError]) -> str:
    """Return code, message and details of all errors, cut to leave room for advice in the status message."""
    texts = list[str]()
    for error in errors:
        details = f" ({error.details})" if error.details and error.details != error.message else ""
        texts.append(": ".join(filter(None, (error.code, error.message))) + details)
    joined = "; ".join(dict.fromkeys(texts))
    return joined if len(joined) <= _MOST_CHARACTERS else joined[:_MOST_CHARACTERS] + "…"


def denial_hint(found: Classification, *, personal: bool) -> str:
    """Return the probable cause and remedy of a 401 or 403 (SP-API "resolving 403 errors", and threads about each kind)."""
    if found.kind is Kind.TOKEN_REFUSED:
        return "Amazon refuses a fresh access token too; let the seller authorize the application again."
    if found.kind is Kind.CREDENTIALS_REFUSED:
        return (
            "Amazon refuses a fresh session of the account's role too; check that the role trusts Sellergate, or set the account's"
            " signing_mode to NONE."
        )
    code = found.error.code if found.error else ""
    if code == "InvalidSignature":
        return (
            "Amazon refuses the signature; Amazon needs none since 2023-10-02: set the account's signing_mode to NONE."
        )
    if code == "MissingAuthenticationToken":
        return "There is no such operation at this host; check method and path, and whether the sandbox has it."
    if personal:
        return (
            "The application may lack the role for this personal data, or the resource is another seller's; check the"
            " application's roles, and let the seller authorize it again after it has got one."
        )
    return (
        "The application lacks a role for this operation, the seller has not granted it, or the resource belongs to another region;"
        " check the application's roles and the account's marketplace."
    )
