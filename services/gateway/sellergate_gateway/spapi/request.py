"""The validation of a call and its conversion to method, path and query: sent exactly as given, or refused by field."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, unquote

from sellergate_amazon.headers import goes_to_amazon, is_plain_value
from sellergate_amazon.operations import Catalogue, Operation
from sellergate_amazon.paths import check_path
from sellergate_common.errors import FieldViolation, InvalidRequest, NotFound, Reason, Resource

from sellergate_gateway.spapi.http import Headers

# The characters of RFC 3986 §3.4, and others that clients send unencoded; they are forwarded unchanged.
_QUERY = re.compile(r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/?\[\]{}|\\^`\"<>]|%[0-9A-Fa-f]{2})*")
# The last segments of createRestrictedDataToken (model tokens_2021-03-01) and getAuthorizationCode (authorization.v1).
_TOKEN_PATHS = ("restricteddatatoken", "authorizationcode")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
# Headers of authentication and of the connection, which the gateway sets itself.
_RESERVED_PREFIX = "x-amz-"
_RESERVED_HEADERS = frozenset(
    {
        "authorization",
        "connection",
        "content-length",
        "content-type",
        "cookie",
        "expect",
        "host",
        "http2-settings",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
    }
)


@dataclass(frozen=True, slots=True, order=True)
class RestrictedResource:
    """A resource of a Restricted Data Token: a method, a path (specific, or with parameters in braces), and data elements."""

    method: str
    path: str
    data_elements: tuple[str, ...] = ()


@dataclass(slots=True)
class SpApiCall:
    """A caller's request; see sellergate.gateway.v1.CallRequest. Times are in seconds; None: up to the deadline."""

    account_id: str
    method: str = ""
    path: str = ""
    operation: str = ""
    path_params: Mapping[str, str] | None = None
    raw_query: str | None = None
    query: tuple[tuple[str, str | None], ...] | None = None
    headers: Headers = ()
    body: bytes = b""
    content_type: str = ""
    data_elements: tuple[str, ...] = ()
    as_is: bool = False
    max_wait: float | None = None
    background: bool = False
    sandbox: bool | None = None
    restricted_resources: tuple[RestrictedResource, ...] = ()
    token_kind: str = ""
    """SELLER, GRANTLESS, or empty for the kind that the operation needs."""


@dataclass(slots=True)
class Target:
    """The target of a call. `operation` is None for a path that the catalogue lacks."""

    method: str
    path: str
    query: str
    headers: Headers
    operation: Operation | None
    token_kind: str = ""

    @property
    def path_and_query(self) -> str:
        """The path, followed by `?` and the query if there is one."""
        return f"{self.path}?{self.query}" if self.query else self.path

    @property
    def grantless_scope(self) -> str:
        """The scope of the application's own token for the call; empty: a seller's token."""
        if self.operation is None or self.token_kind == "SELLER":
            return ""
        return self.operation.grantless_scope or ""

    @property
    def hands_out_a_token(self) -> bool:
        """Whether Amazon's response would hold a token, for any spelling of the path."""
        path = unquote(self.path).lower()
        return any(word in path for word in _TOKEN_PATHS)

    @property
    def idempotent(self) -> bool:
        """Whether sending it twice does no harm."""
        return self.operation.idempotent if self.operation else self.method in {"GET", "HEAD", "PUT", "DELETE"}


def resolve(call: SpApiCall, catalogue: Catalogue) -> Target:
    """Return the target of a call. Raises InvalidRequest that names the field, NotFound for an unknown operation."""
    operation: Operation | None
    if call.operation:
        operation = _find_operation(call, catalogue)
        method, path = operation.method, _expand_path(operation, call.path_params or {})
    else:
        method, path = call.method, _check_path(call.path)
        if method not in _METHODS:
            raise InvalidRequest.of_field("method", f"must be one of {', '.join(sorted(_METHODS))}")
        found = catalogue.match(method, path)
        operation = found.operation if found else None
    if call.token_kind == "GRANTLESS" and (operation is None or not operation.grantless_scope):
        raise InvalidRequest.of_field("token_kind", "GRANTLESS is for operations with a grantless scope; leave it out")
    return Target(method, path, _query(call), _headers(call, method), operation, call.token_kind)


def _find_operation(call: SpApiCall, catalogue: Catalogue) -> Operation:
    given = [name for name in ("method", "path") if getattr(call, name)]
    if given:
        violations = [FieldViolation(name, "must be left out if operation is given") for name in given]
        raise InvalidRequest("operation stands for method and path; give one or the other.", violations=violations)
    operation = catalogue.get(call.operation)
    if operation is None:
        raise NotFound(
            "The catalogue has no such operation, or several APIs have one of this id; give api/version/operationId.",
            reason=Reason.OPERATION_NOT_FOUND,
            resource=Resource("operation", call.operation),
        )
    return operation


def _expand_path(operation: Operation, path_params: Mapping[str, str]) -> str:
    try:
        return operation.expand(path_params)
    except ValueError as error:
        raise InvalidRequest.of_field("path_params", str(error)) from None


def _check_path(path: str) -> str:
    try:
        check_path(path)
    except ValueError as error:
        raise InvalidRequest.of_field("path", str(error)) from None
    return path


def _query(call: SpApiCall) -> str:
    if call.query is not None:
        return "&".join(_parameter(name, value) for name, value in call.query)
    raw = call.raw_query or ""
    if not _QUERY.fullmatch(raw):
        raise InvalidRequest.of_field("raw_query", "must be percent-encoded, without control characters, spaces or #")
    return raw


def _parameter(name: str, value: str | None) -> str:
    encoded = quote(name, safe="")
    return encoded if value is None else f"{encoded}={quote(value, safe='')}"


def _headers(call: SpApiCall, method: str) -> Headers:
    violations = [
        FieldViolation(f"headers[{index}].name", f"{name} is set by the gateway; leave it out")
        for index, (name, _) in enumerate(call.headers)
        if name.lower() in _RESERVED_HEADERS or name.lower().startswith(_RESERVED_PREFIX)
    ]
    # HTTP defines no encoding for other characters, and a changed value is worse than a refusal.
    violations += [
        FieldViolation(f"headers[{index}].value", f"of {name} must be printable ASCII; encode or leave out the rest")
        for index, (name, value) in enumerate(call.headers)
        if goes_to_amazon(name.lower()) and not is_plain_value(value)
    ]
    if not is_plain_value(call.content_type):
        violations.append(FieldViolation("content_type", "must be printable ASCII"))
    if call.body and method in {"GET", "HEAD"}:
        # A gateway of Amazon refuses such a request with an HTML page before it reaches SP-API (changelog of 2023-06-05).
        violations.append(FieldViolation("body", f"must be left out of a {method}"))
    if violations:
        raise InvalidRequest("; ".join(violation.description for violation in violations), violations=violations)
    # Headers that a browser or proxy has added are dropped, because edges of earlier releases forward them.
    headers = tuple([header for header in call.headers if goes_to_amazon(header[0].lower())]) if call.headers else ()
    if call.body or call.content_type:
        return (*headers, ("content-type", call.content_type or "application/json"))
    return headers
