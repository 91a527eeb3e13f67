"""Errors as problem documents (RFC 9457): what went wrong, what to do, and the request id to ask about."""

import math
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
from sellergate_common.logs import get_logger
from starlette.exceptions import HTTPException

MEDIA_TYPE = "application/problem+json"
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
    app.add_exception_handler(SellergateError, _sellergate_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_exception)
    app.add_exception_handler(Exception, bug)


async def bug(_request: Request, error: Exception) -> JSONResponse:
    """Answer a bug: opaque, and logged."""
    get_logger().error("bug", exc_info=error)
    return problem(InternalError("Something is wrong on our side; the log has it under this request id."))


async def _sellergate_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, SellergateError)  # noqa: S101
    if error.reason is Reason.INTERNAL:
        get_logger().error("internal", cause=error.message)
        return problem(InternalError("Something is wrong on our side; the log has it under this request id."))
    return problem(error)


async def _validation_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    violations = [FieldViolation(_path(fault["loc"]), _words(fault)) for fault in error.errors()]
    words = "; ".join(f"{violation.field}: {violation.description}" for violation in violations)
    return problem(InvalidRequest(words, violations=violations))


async def _http_exception(_request: Request, error: Exception) -> JSONResponse:
    """Answer what the framework itself refuses: unknown routes, wrong methods."""
    assert isinstance(error, HTTPException)  # noqa: S101
    call = current_call()
    status = HTTPStatus(error.status_code)
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
    if fault["type"] == "missing":
        return "must be given"
    return str(fault["msg"]).removeprefix("Value error, ")


def _path(place: tuple[int | str, ...]) -> str:
    """Return the field's path; the first part says only whether it stands in query, body or path."""
    parts = place[1:] or place
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts).lstrip(".")


def _camel(path: str) -> str:
    """Return a field's path as the REST API spells it."""
    return ".".join(to_camel(part) for part in path.removeprefix("account.").split("."))
