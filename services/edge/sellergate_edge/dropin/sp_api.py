"""The drop-in endpoint: an unmodified SP-API SDK with its token URL and endpoint set to the edge.

Sellergate issues the SDK's client id, secret and refresh token (sgc_, sgs_, sgr_) and its access tokens; Amazon's never leave the
gateway. Amazon's responses are returned unchanged, except the one that holds a Restricted Data Token.
"""

import json
from collections.abc import Callable
from typing import Any

from sellergate_amazon import parsing
from sellergate_amazon.operations import Catalogue
from sellergate_client import Sellergate
from sellergate_common.cache.stale_if_error import StaleIfErrorCache
from sellergate_common.errors import InvalidRequest, NotFound, SellergateError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from sellergate_edge.dropin import amazon_errors
from sellergate_edge.dropin.tokens import DropInTokens, Grant, Resources, TokenExpired, TokenInvalid
from sellergate_edge.forwarding import LONGEST_CALL_SECONDS, forward, max_wait_of, seconds_of
from sellergate_edge.limits.limiter import Limits
from sellergate_edge.own_paths import is_own
from sellergate_edge.request_body import read_body
from sellergate_edge.routes import problems

ACCESS_TOKEN = b"x-amz-access-token"
RESTRICTED = ("POST", "/tokens/2021-03-01/restrictedDataToken")
# A seller's token deletes the seller's subscriptions too (amzn/selling-partner-api-models#4753).
OF_EITHER_TOKEN = frozenset({"notifications/v1/deleteSubscriptionById"})
MAX_TOKEN_REQUEST_BYTES = 16 * 1024
"""The SDK sends the token, and all resources that it names, in a header of every call."""
MAX_RESOURCES = 50


class TokenRefused(Exception):
    """An access token that is missing, invalid, or not valid for the call."""

    def __init__(self, details: str) -> None:
        super().__init__(details)
        self.details = details


class DropIn(BaseRoute):
    """The route of every request that carries an SDK's access token, and of every path that begins as one of SP-API does."""

    def __init__(
        self,
        tokens: DropInTokens,
        client: Sellergate,
        limits: Limits,
        catalogue: Catalogue,
        max_wait: float,
        now: Callable[[], float],
    ) -> None:
        self._tokens = tokens
        self._client = client
        self._limits = limits
        self._catalogue = catalogue
        self._max_wait = max_wait
        self._apis = frozenset(_api_of(operation.path) for operation in catalogue)
        # A revoked client stops within the five seconds that an entry lives.
        self._owners: StaleIfErrorCache[bool] = StaleIfErrorCache(now, lambda: False)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Return whether a request is an SDK's: it carries a token, or its path begins as one of SP-API does."""
        if scope["type"] != "http" or is_own(scope["path"]):
            return Match.NONE, {}
        if has_token(scope) or _api_of(scope["raw_path"].decode("latin-1")) in self._apis:
            return Match.FULL, {"endpoint": self, "route": self}
        return Match.NONE, {}

    @property
    def path(self) -> str:
        """The name of the route in logs and metrics."""
        return "/{sp-api}"

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond to one request. Every error has the shape of Amazon's."""
        request = Request(scope, receive, send)
        try:
            response = await self._respond(request)
        except TokenRefused as refused:
            response = amazon_errors.token_refusal(refused.details)
        except SellergateError as error:
            response = amazon_errors.amazon_error(problems.refusal_of(error))
        except HTTPException as error:
            response = amazon_errors.amazon_refusal(error.status_code, "InvalidInput", str(error.detail))
        except Exception as error:  # noqa: BLE001  (a bug has Amazon's shape too)
            response = amazon_errors.amazon_error(problems.bug(error))
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        path = request.scope["raw_path"].decode("latin-1")
        token = request.headers.get("x-amz-access-token")
        if not token and self._catalogue.match(request.method, path) is None:
            return amazon_errors.unknown_route()
        grant = await self._read_grant(token)
        request.scope["sellergate.user"] = grant.user_id
        await self._limits.acquire(grant.user_id)
        kind = self._token_kind(grant, request.method, path)
        if (request.method, path) == RESTRICTED:
            return await self._restricted(request, grant)
        return await forward(
            request,
            self._client,
            grant.account_id,
            path,
            grant.user_id,
            max_wait_of(request, self._max_wait),
            seconds=seconds_of(request, LONGEST_CALL_SECONDS),
            token_kind=kind,
            restricted_resources=grant.resources,
        )

    async def _read_grant(self, token: str | None) -> Grant:
        """Return the grant of a token. Raises TokenRefused."""
        if not token:
            raise TokenRefused(amazon_errors.MISSING)
        try:
            grant = self._tokens.read(token)
        except TokenExpired:
            raise TokenRefused(amazon_errors.EXPIRED) from None
        except TokenInvalid:
            raise TokenRefused(amazon_errors.INVALID) from None
        if not await self._owners.get(grant.client_id, lambda: self._lives(grant)):
            raise TokenRefused(amazon_errors.INVALID)
        return grant

    async def _lives(self, grant: Grant) -> bool:
        try:
            client = await self._client.clients.get(grant.client_id, on_behalf_of=grant.user_id)
        except NotFound:
            return False
        return not client.HasField("revoke_time")

    def _token_kind(self, grant: Grant, method: str, path: str) -> str:
        """Return the kind of Amazon's token for an operation that takes either; empty: the operation's own kind.

        Grantless operations need an application's own token, others a seller's. Raises TokenRefused where the token does not fit.
        """
        found = self._catalogue.match(method, path)
        if found is not None and found.operation.name in OF_EITHER_TOKEN and not grant.scope:
            return "seller"
        if not opened_by(grant, (found.operation.grantless_scope or "") if found else ""):
            raise TokenRefused("")
        return ""

    async def _restricted(self, request: Request, grant: Grant) -> Response:
        """Issue a token for the resources. The gateway fetches Amazon's Restricted Data Token and keeps it."""
        if grant.resources:
            raise TokenRefused("")
        resources = _resources(await read_body(request, MAX_TOKEN_REQUEST_BYTES))
        life = await self._client.restricted_life(grant.account_id, resources, on_behalf_of=grant.user_id)
        own = Grant(grant.client_id, grant.user_id, grant.account_id, resources=resources)
        seconds = max(1, int(life))
        return Response(
            json.dumps({"restrictedDataToken": self._tokens.issue(own, seconds), "expiresIn": seconds}),
            media_type="application/json",
        )


class DropInRoot(BaseRoute):
    """The drop-in endpoint's part of `/`: requests with an SDK's token. Without a token, `/` is the console's page."""

    def __init__(self, drop_in: DropIn) -> None:
        self._drop_in = drop_in
        self.path = drop_in.path

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Return whether a request is for `/` and carries an SDK's token."""
        if scope["type"] == "http" and scope["path"] == "/" and has_token(scope):
            return Match.FULL, {"endpoint": self._drop_in, "route": self}
        return Match.NONE, {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond as the drop-in endpoint does."""
        await self._drop_in.handle(scope, receive, send)


def _api_of(path: str) -> str:
    """Return the first segment of a path, which names an API."""
    return path.split("/", 2)[1] if path.startswith("/") else ""


def has_token(scope: Scope) -> bool:
    """Return whether a request carries an access token of an SDK, valid or not."""
    return any(name == ACCESS_TOKEN for name, _ in scope["headers"])


def opened_by(grant: Grant, scope: str) -> bool:
    """Return whether a token opens operations of a scope; empty: those of sellers."""
    return scope in grant.scope.split() if grant.scope else not scope


def _resources(body: bytes) -> Resources:
    """Read the resources of createRestrictedDataToken (model tokens_2021-03-01). Raises InvalidRequest."""
    try:
        document = parsing.parse_object(body, most=MAX_TOKEN_REQUEST_BYTES)
        rows: Any = document["restrictedResources"]
        if isinstance(rows, dict):  # Amazon takes one object as a list of one
            rows = [rows]
        resources = tuple(_resource(parsing.object_of(row)) for row in rows)
    except (parsing.ParseError, KeyError, TypeError):
        raise InvalidRequest.of_field("restrictedResources", "must be a list of objects with method and path") from None
    if len(resources) > MAX_RESOURCES:
        raise InvalidRequest.of_field("restrictedResources", f"must have at most {MAX_RESOURCES} items")
    if document.get("targetApplication"):
        raise InvalidRequest.of_field(
            "targetApplication", "is not supported, because the token would be another application's; leave it out"
        )
    return resources


def _resource(row: dict[str, Any]) -> tuple[str, str, tuple[str, ...]]:
    """Read one resource. Raises ParseError, TypeError."""
    elements = row.get("dataElements") or ()
    texts = tuple(parsing.text_in({"dataElements": element}, "dataElements") for element in elements)
    return parsing.text_in(row, "method"), parsing.text_in(row, "path"), texts
