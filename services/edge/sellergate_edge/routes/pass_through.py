"""Any call of SP-API over REST. Path, query and body are sent to Amazon unchanged, and so is Amazon's response to the caller."""

from typing import Any
from urllib.parse import quote, unquote

from sellergate_common.errors import InvalidRequest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sellergate_edge.dependencies import dependencies_of, user_of
from sellergate_edge.forwarding import (
    CALL_SECONDS,
    LONGEST_CALL_SECONDS,
    LONGEST_WAIT_SECONDS,
    MAX_WAIT,
    METHODS,
    TIMEOUT,
    forward,
    max_wait_of,
    seconds_of,
)
from sellergate_edge.routes.problems import MEDIA_TYPE

SANDBOX = "x-sellergate-sandbox"
TOKEN_KIND = "x-sellergate-token-kind"
PATH = "/api/amazon/accounts/{account_id}/sp-api/{path}"
_MARK = b"/sp-api"
_TOKEN_KINDS = ("seller", "grantless")
_PREFIX = b"/api/amazon/accounts/"
# What a path may hold unencoded (RFC 3986), and the percent signs of what the caller encoded.
_KEPT = "/%:@!$&'()*+,;=-._~"


async def pass_through(request: Request) -> Response:
    """Make one call for the user and return Amazon's response."""
    user = await user_of(request)
    account_id, path = _target(request.scope["raw_path"])
    sandbox = _sandbox(request.headers.get(SANDBOX))
    max_wait, kind = max_wait_of(request, 0.0), _token_kind(request.headers.get(TOKEN_KIND, ""))
    seconds, client = seconds_of(request, CALL_SECONDS), dependencies_of(request).sellergate
    return await forward(
        request, client, account_id, path, user, max_wait, seconds=seconds, sandbox=sandbox, token_kind=kind
    )


def _target(raw_path: bytes) -> tuple[str, str]:
    """Return the account id and Amazon's path, percent-encoded as the caller sent it."""
    account, _, path = raw_path.removeprefix(_PREFIX).partition(_MARK)
    return unquote(account.decode("latin-1")), _with_slashes(path.decode("latin-1"))


def _with_slashes(path: str) -> str:
    """Return a path whose parameter a generated client has encoded as one segment ("/sellers%2Fv1%2F…") as it was before.

    Every path of SP-API has several segments. In a path with slashes of its own, %2F is a part of a value, such as a SKU.
    """
    segment = path.removeprefix("/")
    if "/" in segment or "%2f" not in segment.lower():
        return path
    return "/" + quote(unquote(segment, errors="surrogateescape"), safe=_KEPT, errors="surrogateescape")


def _sandbox(given: str | None) -> bool | None:
    if given is None:
        return None
    if given.lower() not in {"true", "false"}:
        raise InvalidRequest.of_field(SANDBOX, "must be true or false")
    return given.lower() == "true"


def _token_kind(given: str) -> str:
    if given.lower() not in {"", *_TOKEN_KINDS}:
        raise InvalidRequest.of_field(TOKEN_KIND, f"must be {' or '.join(_TOKEN_KINDS)}")
    return given.lower()


_SCALAR = {"type": ["string", "number", "boolean"]}
_ANY: dict[str, Any] = {"application/json": {"schema": {}}, "*/*": {"schema": {}}}
_ANY_ERROR: dict[str, Any] = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}, **_ANY}


def describe(document: dict[str, Any]) -> None:
    """Add the route to an OpenAPI document. FastAPI does not describe plain routes."""
    account = {"name": "account_id", "in": "path", "required": True, "schema": {"type": "string"}}
    path = {
        "name": "path",
        "in": "path",
        "required": True,
        "schema": {"type": "string"},
        "description": "Percent-encoded path of the SP-API operation, with slashes; a client may encode the whole of it as one"
        " segment (`sellers%2Fv1%2F…`)",
        "example": "sellers/v1/marketplaceParticipations",
    }
    query = {
        "name": "query",
        "in": "query",
        "style": "form",
        "explode": True,
        "schema": {
            "type": "object",
            "additionalProperties": {"anyOf": [_SCALAR, {"type": "array", "items": _SCALAR}]},
        },
        "description": "Any parameters of the operation, each under its own name",
        "example": {},
    }
    flag = {
        "name": SANDBOX,
        "in": "header",
        "schema": {"type": "boolean"},
        "description": "Overrides the account's setting: true calls Amazon's sandbox, false the production API.",
    }
    wait = {
        "name": MAX_WAIT,
        "in": "header",
        "schema": {"type": "number", "minimum": 0, "maximum": LONGEST_WAIT_SECONDS, "default": 0},
        "description": "Seconds that the call may wait for quota. After this time the response is 429 with Retry-After.",
    }
    timeout = {
        "name": TIMEOUT,
        "in": "header",
        "schema": {"type": "number", "minimum": 1, "maximum": LONGEST_CALL_SECONDS, "default": CALL_SECONDS},
        "description": "Seconds that the call has in all, waits for quota and retries included; after them the response is 504."
        " The call ends earlier when the client closes the connection.",
    }
    kind = {
        "name": TOKEN_KIND,
        "in": "header",
        "schema": {"type": "string", "enum": list(_TOKEN_KINDS)},
        "description": "The kind of access token, for operations that accept both: the seller's or the application's (grantless).",
    }
    for method in METHODS:
        operation: dict[str, Any] = {
            "tags": ["sp-api"],
            "summary": f"Call SP-API with {method}",
            "description": "Calls an operation for the account. Path, query and body go to Amazon unchanged, with its token;"
            " Amazon's status, headers and body are returned unchanged.",
            "operationId": f"callSpApi{method.capitalize()}",
            "parameters": [account, path, query, flag, wait, timeout, kind],
            "security": [{"HTTPBearer": []}],
            "responses": {
                "2XX": {"description": "Amazon's response, unchanged", "content": _ANY},
                "429": {
                    "description": "Amazon's own 429, or a problem document where Sellergate has no quota left for the call",
                    "headers": {
                        "Retry-After": {"schema": {"type": "integer"}, "description": "Seconds until the next call"}
                    },
                    "content": _ANY_ERROR,
                },
                "default": {
                    "description": "Amazon's response with its status, or a problem document of Sellergate",
                    "content": _ANY_ERROR,
                },
            },
        }
        if method in {"POST", "PUT", "PATCH", "DELETE"}:
            operation["requestBody"] = {"content": _ANY}
        document["paths"].setdefault(PATH, {})[method.lower()] = operation


route = Route(PATH.replace("{path}", "{path:path}"), pass_through, methods=list(METHODS))
