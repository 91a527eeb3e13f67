"""Any SP-API call over REST: path, query and body go to Amazon as they came, and Amazon's response comes back as it is."""

from typing import Any
from urllib.parse import unquote

from sellergate_common.errors import InvalidRequest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sellergate_edge.dependencies import user_of
from sellergate_edge.forwarding import LONGEST_WAIT_SECONDS, MAX_WAIT, METHODS, forward, max_wait_of

SANDBOX = "x-sellergate-sandbox"
TOKEN_KIND = "x-sellergate-token-kind"
PATH = "/api/amazon/accounts/{account_id}/sp-api/{path}"
_MARK = b"/sp-api"
_TOKEN_KINDS = ("seller", "grantless")
_PREFIX = b"/api/amazon/accounts/"


async def pass_through(request: Request) -> Response:
    """Make one call for the user and give back Amazon's response."""
    user = await user_of(request)
    account_id, path = _target(request.scope["raw_path"])
    sandbox = _sandbox(request.headers.get(SANDBOX))
    max_wait, kind = max_wait_of(request, 0.0), _token_kind(request.headers.get(TOKEN_KIND, ""))
    client = request.app.state.sellergate
    return await forward(request, client, account_id, path, user, max_wait, sandbox=sandbox, token_kind=kind)


def _target(raw_path: bytes) -> tuple[str, str]:
    """Return the account id and Amazon's path, percent-encoded as it came."""
    account, _, path = raw_path.removeprefix(_PREFIX).partition(_MARK)
    return unquote(account.decode("latin-1")), path.decode("latin-1")


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


def describe(document: dict[str, Any]) -> None:
    """Add the route to an OpenAPI document: FastAPI does not know it."""
    account = {"name": "account_id", "in": "path", "required": True, "schema": {"type": "string"}}
    path = {
        "name": "path",
        "in": "path",
        "required": True,
        "schema": {"type": "string"},
        "description": "Amazon's path, slashes included",
        "example": "sellers/v1/marketplaceParticipations",
    }
    flag = {"name": SANDBOX, "in": "header", "schema": {"type": "boolean"}, "description": "Go to the sandbox, or not."}
    wait = {
        "name": MAX_WAIT,
        "in": "header",
        "schema": {"type": "number", "minimum": 0, "maximum": LONGEST_WAIT_SECONDS, "default": 0},
        "description": "Seconds that the call may wait for quota before it is refused with 429 and Retry-After.",
    }
    kind = {
        "name": TOKEN_KIND,
        "in": "header",
        "schema": {"type": "string", "enum": list(_TOKEN_KINDS)},
        "description": "Which token to call with, where Amazon takes more than one kind.",
    }
    for method in METHODS:
        operation: dict[str, Any] = {
            "tags": ["sp-api"],
            "summary": f"{method} any path of SP-API",
            "description": "Path, query and body go to Amazon as they came; its status, headers and bytes come back as they are.",
            "operationId": f"pass_through_{method.lower()}",
            "parameters": [account, path, flag, wait, kind],
            "security": [{"HTTPBearer": []}],
            "responses": {
                "429": {
                    "description": "Amazon's own 429, or a problem document of the quota kept here",
                    "headers": {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds to wait"}},
                },
                "default": {
                    "description": "Amazon's response with its own status, or a problem document of Sellergate"
                },
            },
        }
        if method in {"POST", "PUT", "PATCH"}:
            operation["requestBody"] = {"content": {"application/json": {"schema": {}}}}
        document["paths"].setdefault(PATH, {})[method.lower()] = operation


route = Route(PATH.replace("{path}", "{path:path}"), pass_through, methods=list(METHODS))
