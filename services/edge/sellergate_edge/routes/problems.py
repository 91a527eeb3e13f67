"""Problem documents (RFC 9457): what happened, what to do next, and the request id for questions to the operator."""

import math
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from pydantic.json_schema import SkipJsonSchema
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

from sellergate_edge.routes.models import Stage

MEDIA_TYPE = "application/problem+json"
HTTP_REASONS: Mapping[int, str] = {
    400: "BAD_REQUEST",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    408: "REQUEST_TIMEOUT",
    413: "REQUEST_ENTITY_TOO_LARGE",
    431: "REQUEST_HEADER_FIELDS_TOO_LARGE",
}
"""The reasons of errors of HTTP itself, by status: no error class of the client library has them."""
REASONS = (*Reason, *HTTP_REASONS.values())
INTERNAL_ERROR = (
    "Sellergate failed to handle this request. Give the request id to the operator, whose log has the cause."
)
DEFAULT_RETRY_SECONDS = 1.0
"""Retry-After of a 429 whose error names no time."""
# Many faults, or a name of a megabyte, would make the response as large as the request.
MAX_SHOWN = 20
_MAX_PATH = 128
_SNAKE_CASE = re.compile(r"[a-z0-9_]+(\[[0-9]+\])*")
_WORDS = {
    "missing": "must be given",
    "extra_forbidden": "is not a known member; leave it out",
    "json_invalid": "must be a JSON document in UTF-8",
}
# Fields that a REST caller sends in a header.
_HEADERS = {"idempotency_key": "Idempotency-Key"}
_AMAZON = {"amazon_code": "code", "amazon_message": "message", "amazon_details": "details"}


class Violation(BaseModel):
    """One invalid field of a request, and what to do about it."""

    field: Annotated[str, Field(examples=["marketplace"])]
    description: Annotated[str, Field(examples=["must be the code of a marketplace, one of AE, AU, BE, …"])]


class AmazonError(BaseModel):
    """Amazon's own error, as far as Amazon sent one."""

    code: Annotated[str | None, Field(examples=["InvalidInput"])] = None
    message: str | None = None
    details: str | None = None


class Problem(BaseModel):
    """An error (RFC 9457). Programs decide by `reason`."""

    model_config = ConfigDict(extra="allow")

    type: Annotated[str, Field(examples=["urn:sellergate:error:INVALID_REQUEST"])]
    title: Annotated[str, Field(examples=["Invalid request"])]
    status: Annotated[int, Field(examples=[400])]
    detail: Annotated[str, Field(description="What happened and what to do next, for people; it may change")]
    reason: Annotated[
        str,
        Field(
            json_schema_extra={"enum": list(map(str, REASONS))},
            examples=["INVALID_REQUEST"],
            description="NOT_FOUND: no route has this path. METHOD_NOT_ALLOWED: the route has other methods, named by the header"
            " Allow. The other reasons are in docs/errors.md. A later release may add reasons.",
        ),
    ]
    requestId: Annotated[str, Field(description="The id under which the operator finds the cause in the log")]  # noqa: N815
    retryAfter: Annotated[  # noqa: N815  (the names in the JSON document)
        float | SkipJsonSchema[None], Field(description="Seconds until a repeat makes sense; the header is rounded up")
    ] = None
    violations: Annotated[
        list[Violation] | SkipJsonSchema[None], Field(description="Every invalid field, for INVALID_REQUEST")
    ] = None
    errors: Annotated[list[AmazonError] | SkipJsonSchema[None], Field(description="Amazon's own error")] = None
    amazonRequestId: Annotated[  # noqa: N815
        str | SkipJsonSchema[None], Field(description="Amazon's id of the request, for questions to Amazon")
    ] = None
    stages: Annotated[
        list[Stage] | SkipJsonSchema[None], Field(description="The stages up to the failed one, where a check failed")
    ] = None


def problem(error: SellergateError, extra: Mapping[str, Any] | None = None) -> JSONResponse:
    """Return an error as a problem document with the members of `extra` added."""
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
    amazon_error = {name: error.metadata[key] for key, name in _AMAZON.items() if error.metadata.get(key)}
    if amazon_error:
        document["errors"] = [amazon_error]
    if error.metadata.get("amazon_request_id"):
        document["amazonRequestId"] = error.metadata["amazon_request_id"]
    headers = retry_headers(error)
    if error.retry_after is not None:
        document["retryAfter"] = round(error.retry_after, 3)
    if error.http_status == HTTPStatus.UNAUTHORIZED and error.reason is Reason.CALLER_UNAUTHENTICATED:
        headers["WWW-Authenticate"] = "Bearer" if isinstance(error, Unauthenticated) else 'Bearer error="invalid_token"'
    return JSONResponse({**document, **(extra or {})}, error.http_status, headers, media_type=MEDIA_TYPE)


def retry_headers(error: SellergateError) -> dict[str, str]:
    """Return Retry-After in whole seconds, at least one. Every 429 has it; other errors have it where the time is known."""
    seconds = error.retry_after
    if seconds is None and error.http_status == HTTPStatus.TOO_MANY_REQUESTS:
        seconds = DEFAULT_RETRY_SECONDS
    return {} if seconds is None else {"Retry-After": str(max(1, math.ceil(seconds)))}


def install(app: FastAPI) -> None:
    """Render every error of the app as a problem document."""
    app.add_exception_handler(SellergateError, _handle_refusal)
    app.add_exception_handler(RequestValidationError, _handle_refusal)
    app.add_exception_handler(HTTPException, _http_exception)


def bug(error: Exception) -> InternalError:
    """Log a bug, and return the error that may be shown for it."""
    get_logger().error("bug", exc_info=error)
    return InternalError.of_bug()


def refusal_of(error: SellergateError | RequestValidationError) -> SellergateError:
    """Return an error as it may be shown: a framework error with its fields named, and an internal error opaque and logged."""
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
    """Render an error of the framework: an unknown route, a wrong method."""
    assert isinstance(error, HTTPException)  # noqa: S101
    call = current_call()
    status = HTTPStatus(error.status_code)
    if status is HTTPStatus.BAD_REQUEST:  # FastAPI's error for a body that its JSON parser cannot read
        return problem(InvalidRequest.of_field("body", _WORDS["json_invalid"]))
    reason = HTTP_REASONS.get(status, status.name)
    if call is not None:
        call.reason = reason
    document = {
        "type": "about:blank",
        "title": status.phrase,
        "status": error.status_code,
        "detail": f"{status.description or status.phrase}.".replace("..", "."),
        "reason": reason,
        "requestId": call.request_id if call else "",
    }
    return JSONResponse(document, error.status_code, error.headers, media_type=MEDIA_TYPE)


def _words(fault: Mapping[str, Any]) -> str:
    return _WORDS.get(fault["type"]) or str(fault["msg"]).removeprefix("Value error, ")


def _path(fault: Mapping[str, Any]) -> str:
    """Return the path of a field, without its first part, which names only query, body or path."""
    place: tuple[int | str, ...] = fault["loc"]
    if fault["type"] == "json_invalid":  # the other parts are an offset
        place = place[:1]
    parts = place[1:] or place
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts).lstrip(".")
    return path if len(path) <= _MAX_PATH else path[:_MAX_PATH] + "…"


def _camel(path: str) -> str:
    """Return the path of a field as the REST API spells it: camelCase, without the message around it; header names unchanged."""
    if path in _HEADERS:
        return _HEADERS[path]
    parts = path.removeprefix("account.").removeprefix("filter.").split(".")
    return ".".join(to_camel(part) if _SNAKE_CASE.fullmatch(part) else part for part in parts)
