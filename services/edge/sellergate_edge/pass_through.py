"""Any SP-API call over REST: path, query and body go to Amazon as they came, and Amazon's answer comes back as it is."""

from typing import Any
from urllib.parse import unquote

from sellergate_client import Sellergate
from sellergate_common.errors import InvalidRequest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sellergate_edge.authentication import Authenticator
from sellergate_edge.bodies import read_body

MAX_BODY_BYTES = 10 * 1024 * 1024
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
SANDBOX = "x-sellergate-sandbox"
PATH = "/api/amazon/accounts/{account_id}/sp-api/{path}"
_MARK = b"/sp-api"
_PREFIX = b"/api/amazon/accounts/"
# The caller's connection, credentials and browser; none of them is Amazon's business.
_KEPT = frozenset(
    {
        "authorization",
        "connection",
        "content-length",
        "content-type",
        "cookie",
        "expect",
        "forwarded",
        "host",
        "keep-alive",
        "origin",
        "proxy-authorization",
        "proxy-connection",
        "referer",
        "te",
        "trailer",
        "traceparent",
        "tracestate",
        "transfer-encoding",
        "upgrade",
        "user-agent",
        "x-real-ip",
        "x-request-id",
    }
)
_KEPT_PREFIXES = ("sec-", "x-amz-", "x-forwarded-", "x-sellergate-")
_OWN_ANSWER_HEADERS = frozenset({"content-length", "date", "server"})


async def pass_through(request: Request) -> Response:
    """Make one call for the user and give back Amazon's answer."""
    authenticator: Authenticator = request.app.state.authenticator
    client: Sellergate = request.app.state.sellergate
    user = await authenticator.user_of(request.headers.get("authorization"))
    account_id, path = _target(request.scope["raw_path"])
    answer = await client.call(
        account_id,
        request.method,
        path,
        raw_query=request.scope["query_string"].decode("latin-1"),
        headers=[(name, value) for name, value in request.headers.items() if _goes_along(name)],
        body=await read_body(request, MAX_BODY_BYTES),
        content_type=request.headers.get("content-type", ""),
        as_is=True,
        max_wait=0,
        sandbox=_sandbox(request.headers.get(SANDBOX)),
        on_behalf_of=user,
    )
    response = Response(answer.body, answer.status)
    own = [(name, value) for name, value in response.raw_headers if name == b"content-length"]
    response.raw_headers = [
        (name.lower().encode("latin-1"), value.encode("latin-1"))
        for name, value in answer.headers
        if name.lower() not in _OWN_ANSWER_HEADERS
    ] + own
    return response


def _target(raw_path: bytes) -> tuple[str, str]:
    """Return the account id and Amazon's path, percent-encoded as it came."""
    account, _, path = raw_path.removeprefix(_PREFIX).partition(_MARK)
    return unquote(account.decode("latin-1")), path.decode("latin-1")


def _goes_along(name: str) -> bool:
    return name not in _KEPT and not name.startswith(_KEPT_PREFIXES)


def _sandbox(given: str | None) -> bool | None:
    if given is None:
        return None
    if given.lower() not in {"true", "false"}:
        raise InvalidRequest.of_field(SANDBOX, "must be true or false")
    return given.lower() == "true"


def describe(document: dict[str, Any]) -> dict[str, Any]:
    """Add the route to an OpenAPI document: FastAPI does not know it."""
    text = {"schema": {"type": "string"}, "in": "path", "required": True}
    flag = {"name": SANDBOX, "in": "header", "schema": {"type": "boolean"}, "description": "Go to the sandbox, or not."}
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for method in METHODS:
        operation: dict[str, Any] = {
            "tags": ["sp-api"],
            "summary": f"{method} any path of SP-API",
            "description": "Path, query and body go to Amazon as they came; its status, headers and bytes come back as they are.",
            "operationId": f"pass_through_{method.lower()}",
            "parameters": [{"name": "account_id", **text}, {"name": "path", **text}, flag],
            "security": [{"HTTPBearer": []}],
            "responses": {
                "200": {"description": "Amazon's answer, whatever its status"},
                "default": {"description": "A refusal of our own", "content": problem},
            },
        }
        if method in {"POST", "PUT", "PATCH"}:
            operation["requestBody"] = {"content": {"*/*": {"schema": {"type": "string", "format": "binary"}}}}
        document["paths"].setdefault(PATH, {})[method.lower()] = operation
    return document


route = Route(PATH.replace("{path}", "{path:path}"), pass_through, methods=list(METHODS))
