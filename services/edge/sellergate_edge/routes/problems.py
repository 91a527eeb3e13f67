"""Errors as problem documents (RFC 9457): what went wrong, what to do, and the request id to ask about."""

import math
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic.alias_generators import to_camel
from sellergate_common.context import current_call
from sellergate_common.errors import (
    FieldViolation,
    InternalError,
    InvalidRequest,
    Reason,
    SellergateError,
    Unauthenticated,
)
from sellergate_common.observability.logs import get_logger
from starlette.exceptions import HTTPException

MEDIA_TYPE = "application/problem+json"
# A flood of faults, or one name of a megabyte, would make the response as large as the question.
MAX_SHOWN = 20
_MAX_PATH = 128
_SNAKE_CASE = re.compile(r"[a-z0-9_]+(\[[0-9]+\])*")
_WORDS = {
    "missing": "must be given",
    "extra_forbidden": "is not known here; leave it out",
    "json_invalid": "must be a JSON document in UTF-8",
}
# Fields that a REST caller gives in a header.
_HEADERS = {"idempotency_key": "Idempotency-Key"}
_AMAZON = {"amazon_code": "code", "amazon_message": "message", "amazon_details": "details"}


def problem(error: SellergateError, extra: Mapping[str, Any] | None = None) -> JSONResponse:
    """Render an error. `extra` members are added to the document."""
    call = current_call()
    if call is not None:
        call.reason = error.reason
    document: dict[str, Any] = {
        "type": f"urn:sellergate:error:{error.reason}",
        "title": error.reason.replace("_", " ").capitalize(),
        "status": error.http_status,
        "detail": error.message,
        "reason": error.reason,
        "requestId": call.request_id if call else "",
    }
    if error.violations:
        document["violations"] = [
            {"field": _camel(violation.field), "description": violation.description} for violation in error.violations
        ]
    amazons = {name: error.metadata[key] for key, name in _AMAZON.items() if error.metadata.get(key)}
    if amazons:
        document["errors"] = [amazons]
    if error.metadata.get("amazon_request_id"):
        document["amazonRequestId"] = error.metadata["amazon_request_id"]
    headers = {}
    if error.retry_after is not None:
        document["retryAfter"] = round(error.retry_after, 3)
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after)))
    if error.http_status == HTTPStatus.UNAUTHORIZED and error.reason is Reason.CALLER_UNAUTHENTICATED:
        headers["WWW-Authenticate"] = "Bearer" if isinstance(error, Unauthenticated) else 'Bearer error="invalid_token"'
    return JSONResponse({**document, **(extra or {})}, error.http_status, headers, media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Answer every error of the app with a problem document."""
    app.add_exception_handler(SellergateError, _handle_refusal)
    app.add_exception_handler(RequestValidationError, _handle_refusal)
    app.add_exception_handler(HTTPException, _http_exception)


def bug(error: Exception) -> InternalError:
    """Log a bug; return what may be told of it."""
    get_logger().error("bug", exc_info=error)
    return InternalError.of_bug()


def refusal_of(error: SellergateError | RequestValidationError) -> SellergateError:
    """Return an error as it may be shown: what the framework refuses in our own words, a bug opaque and logged."""
    if isinstance(error, RequestValidationError):
        violations = [FieldViolation(_path(fault), _words(fault)) for fault in error.errors()[:MAX_SHOWN]]
        words = "; ".join(f"{violation.field}: {violation.description}" for violation in violations)
        return InvalidRequest(words, violations=violations)
    if error.reason is Reason.INTERNAL:
        get_logger().error("internal", cause=error.message)
        return InternalError.of_bug()
    return error


async def _handle_refusal(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, SellergateError | RequestValidationError)  # noqa: S101
    return problem(refusal_of(error))


async def _http_exception(_request: Request, error: Exception) -> JSONResponse:
    """Answer what the framework itself refuses: unknown routes, wrong methods."""
    assert isinstance(error, HTTPException)  # noqa: S101
    call = current_call()
    status = HTTPStatus(error.status_code)
    if status is HTTPStatus.BAD_REQUEST:  # FastAPI's word for a body that its JSON parser stumbles over
        return problem(InvalidRequest.of_field("body", _WORDS["json_invalid"]))
    if call is not None:
        call.reason = status.name
    document = {
        "type": "about:blank",
        "title": status.phrase,
        "status": error.status_code,
        "detail": f"{status.description or status.phrase}.".replace("..", "."),
        "reason": status.name,
        "requestId": call.request_id if call else "",
    }
    return JSONResponse(document, error.status_code, error.headers, media_type=MEDIA_TYPE)


def _words(fault: Mapping[str, Any]) -> str:
    return _WORDS.get(fault["type"]) or str(fault["msg"]).removeprefix("Value error, ")


def _path(fault: Mapping[str, Any]) -> str:
    """Return the field's path; the first part says only whether it stands in query, body or path."""
    place: tuple[int | str, ...] = fault["loc"]
    if fault["type"] == "json_invalid":  # the rest is an offset
        place = place[:1]
    parts = place[1:] or place
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts).lstrip(".")
    return path if len(path) <= _MAX_PATH else path[:_MAX_PATH] + "…"


def _camel(path: str) -> str:
    """Return a field's path as the REST API spells it: no messages around it, camelCase; headers and the like as they are."""
    if path in _HEADERS:
        return _HEADERS[path]
    parts = path.removeprefix("account.").removeprefix("filter.").split(".")
    return ".".join(to_camel(part) if _SNAKE_CASE.fullmatch(part) else part for part in parts)
