"""The forms of Amazon's responses: JSON documents, errors, and HTML of the proxies in front of SP-API."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from aiohttp import web

DENIED = "Access to requested resource is denied."


@dataclass(frozen=True, slots=True)
class Response:
    """A complete HTTP response before it is sent."""

    status: int
    body: bytes = b""
    content_type: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def to_aiohttp(self) -> web.Response:
        """Return the aiohttp response."""
        headers = dict(self.headers)
        if self.content_type:
            headers["Content-Type"] = self.content_type
        return web.Response(status=self.status, body=self.body, headers=headers)

    def with_headers(self, headers: Mapping[str, str]) -> "Response":
        """Return the response with more headers."""
        return Response(self.status, self.body, self.content_type, {**self.headers, **headers})


class AmazonError(Exception):
    """A request that Amazon refuses, with the error of the response."""

    def __init__(
        self, status: int, code: str, message: str, details: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(f"{status} {code}")
        self.response = errors_response(status, code, message, details).with_headers(headers or {})


def json_response(document: object, status: int = 200) -> Response:
    """Return a response with a JSON body."""
    body = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
    return Response(status, body, "application/json")


def errors_response(status: int, code: str, message: str, details: str = "") -> Response:
    """Return a response with SP-API's error body, which holds one error."""
    return json_response({"errors": [{"code": code, "message": message, "details": details}]}, status)


def html_response(status: int, title: str) -> Response:
    """Return the response of a load balancer in front of Amazon's services."""
    page = (
        f"<html>\r\n<head><title>{status} {title}</title></head>\r\n<body>\r\n<h1>{status} {title}</h1>\r\n</body>\r\n"
    )
    return Response(status, f"{page}</html>\r\n".encode(), "text/html")


def denied(details: str = "", error_type: str | None = None) -> AmazonError:
    """Return the 403 that all refusals of a token or a region share; only `details` distinguishes them."""
    headers = {"x-amzn-ErrorType": error_type} if error_type else {}
    return AmazonError(403, "Unauthorized", DENIED, details, headers)


def invalid_input(message: str) -> AmazonError:
    """Return the 400 of a request with invalid arguments."""
    return AmazonError(400, "InvalidInput", message, headers={"x-amzn-ErrorType": "ValidationException"})


def not_found(message: str) -> AmazonError:
    """Return the 404 of a resource that this seller does not have."""
    return AmazonError(404, "NotFound", message)
