"""Sellergate's own errors in the shapes that SP-API SDKs know: LWA's for tokens, SP-API's for calls (Amazon's Developer Guide)."""

import json
from collections.abc import Mapping

from sellergate_common.context import current_call
from sellergate_common.errors import AmazonRefused, Reason, SellergateError
from starlette.responses import Response

from sellergate_edge.routes.problems import retry_headers

DENIED = "Access to requested resource is denied."
MISSING = "Access token is missing in the request header."
EXPIRED = "The access token you provided has expired."
INVALID = "The access token you provided is revoked, malformed or invalid."
_NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}
_UNKNOWN = "The outcome of this request is unknown: it may have been carried out. Check before you send it again."
_DONE = "The request was carried out, and its response is too large to be passed on. Do not send a write again."
_CODES: Mapping[Reason, tuple[int, str, str]] = {
    Reason.INVALID_REQUEST: (400, "InvalidInput", ""),
    Reason.AMAZON_REJECTED: (400, "InvalidInput", ""),
    Reason.AMAZON_NOT_FOUND: (404, "NotFound", ""),
    Reason.LOCAL_QUOTA_EXCEEDED: (429, "QuotaExceeded", "You exceeded your quota for the requested resource."),
    Reason.AMAZON_QUOTA_EXCEEDED: (429, "QuotaExceeded", "You exceeded your quota for the requested resource."),
    Reason.AMAZON_UNAVAILABLE: (503, "ServiceUnavailable", "Service is temporarily unavailable."),
    Reason.OVERLOADED: (503, "ServiceUnavailable", "Service is temporarily unavailable."),
    Reason.AMAZON_OUTCOME_UNKNOWN: (504, "InternalFailure", _UNKNOWN),
    Reason.OUTCOME_UNKNOWN: (504, "InternalFailure", _UNKNOWN),
    Reason.AMAZON_RESPONSE_TOO_LARGE: (502, "InternalFailure", _DONE),
    Reason.DEPENDENCY_UNAVAILABLE: (503, "ServiceUnavailable", "Service is temporarily unavailable."),
}
# To an SDK, an authorization that has ended is a token that does not work.
_DENIED = frozenset(
    {
        Reason.CALLER_UNAUTHENTICATED,
        Reason.CALLER_NOT_ALLOWED,
        Reason.ACCOUNT_NOT_FOUND,
        Reason.ACCOUNT_INACTIVE,
        Reason.AUTHORIZATION_REVOKED,
        Reason.AUTHORIZATION_MISMATCH,
        Reason.LWA_CLIENT_REJECTED,
        Reason.ROLE_REJECTED,
        Reason.SECRET_UNREADABLE,
        Reason.ROW_NOT_AUTHENTIC,
        Reason.AMAZON_DENIED,
        Reason.CLIENT_NOT_FOUND,
    }
)


def lwa_response(
    document: Mapping[str, object], status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Return a response of the token URL."""
    return Response(json.dumps(document), status, {**_NO_STORE, **(headers or {})}, "application/json")


def lwa_refusal(error: str, description: str, status: int = 400, headers: Mapping[str, str] | None = None) -> Response:
    """Return an error of the token URL (RFC 6749 §5.2)."""
    _note(error)
    return lwa_response({"error": error, "error_description": description}, status, headers)


def lwa_error(error: SellergateError) -> Response:
    """Return an error of Sellergate's as the token URL reports it: an outage, an overload, or too many attempts."""
    status = 429 if error.reason is Reason.LOCAL_QUOTA_EXCEEDED else 503
    name = "server_error" if error.reason is Reason.INTERNAL else "temporarily_unavailable"
    return lwa_refusal(name, error.message, 500 if name == "server_error" else status, retry_headers(error))


def amazon_refusal(
    status: int, code: str, message: str, details: str = "", headers: Mapping[str, str] | None = None
) -> Response:
    """Return an error with SP-API's error body, which holds one error."""
    call = current_call()
    own = {"x-amzn-RequestId": call.request_id} if call else {}
    body = json.dumps({"errors": [{"code": code, "message": message, "details": details}]})
    return Response(body, status, {**own, **(headers or {})}, "application/json")


def token_refusal(details: str) -> Response:
    """Return the 403 of a token that does not work. SDKs read in `details` whether a new token may help."""
    _note(Reason.CALLER_UNAUTHENTICATED)
    return amazon_refusal(403, "Unauthorized", DENIED, details)


def unknown_route() -> Response:
    """Return the 403 of a method and path that SP-API does not have, for a request without a token."""
    _note(Reason.CALLER_UNAUTHENTICATED)
    headers = {"x-amzn-ErrorType": "MissingAuthenticationTokenException"}
    return amazon_refusal(403, "MissingAuthenticationToken", DENIED, headers=headers)


def amazon_error(error: SellergateError) -> Response:
    """Return an error of Sellergate's as SP-API would report it, with Sellergate's reason and sentence in `details`."""
    _note(error.reason)
    details = f"{error.reason}: {error.message}"
    if isinstance(error, AmazonRefused) and error.metadata.get("amazon_code"):
        code, message = error.metadata["amazon_code"], error.metadata.get("amazon_message", "")
        return amazon_refusal(
            error.http_status, code, message, error.metadata.get("amazon_details", ""), retry_headers(error)
        )
    if error.reason in _DENIED:
        return amazon_refusal(403, "Unauthorized", DENIED, details)
    unknown = error.http_status, "InternalFailure", "We encountered an internal error. Please try again."
    status, code, message = _CODES.get(error.reason, unknown)
    return amazon_refusal(status, code, message or error.message, details, retry_headers(error))


def _note(reason: str) -> None:
    call = current_call()
    if call is not None:
        call.reason = reason
