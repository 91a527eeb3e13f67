"""POST /auth/o2/token: an SDK exchanges its drop-in credentials for an access token, as at Login with Amazon."""

from collections.abc import Mapping
from urllib.parse import parse_qsl

from pydantic import SecretStr
from sellergate_amazon import parsing
from sellergate_amazon.operations import Catalogue
from sellergate_client import Sellergate
from sellergate_client.clients import Authenticated
from sellergate_client.states import check_usable
from sellergate_common.errors import NotFound, PreconditionFailed, SellergateError, Unauthenticated
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sellergate_edge.dropin.amazon_errors import lwa_error, lwa_refusal, lwa_response
from sellergate_edge.dropin.tokens import LIFE_SECONDS, DropInTokens, Grant
from sellergate_edge.limits.guesses import Guesses, is_of_handle
from sellergate_edge.request_body import JSON_SECONDS, read_body

PATH = "/auth/o2/token"
MAX_BODY_BYTES = 16 * 1024
_MISSING = "The request is missing a required parameter : "
_INVALID_GRANT = "The request has an invalid grant parameter : refresh_token"
_REVOKED = f"{_INVALID_GRANT}. User may have revoked or didn't grant the permission."
# The bounds of AuthenticateClientRequest of the account service.
_LONGEST = 256
_LONGEST_CLIENT_ID = 128
_MOST_FIELDS = 20


class Refused(Exception):
    """A refused exchange, with LWA's error code and description."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(error)
        self.response = lwa_refusal(error, description, status)


class Exchange:
    """The token URL."""

    def __init__(self, tokens: DropInTokens, client: Sellergate, guesses: Guesses, catalogue: Catalogue) -> None:
        self._tokens = tokens
        self._client = client
        self._guesses = guesses
        self._scopes = {found.grantless_scope for found in catalogue if found.grantless_scope}
        self.route = Route(PATH, self.respond, methods=["POST"])

    async def respond(self, request: Request) -> Response:
        """Respond to one exchange. Every error has the shape of LWA's."""
        try:
            body = await read_body(request, MAX_BODY_BYTES, JSON_SECONDS)
            fields = _fields(request.headers.get("content-type", ""), body)
            return await self._exchange(fields, request.client.host if request.client else "")
        except Refused as refused:
            return refused.response
        except SellergateError as error:
            return lwa_error(error)
        except HTTPException as error:
            return lwa_refusal("invalid_request", str(error.detail), error.status_code)

    async def _exchange(self, fields: Mapping[str, str], address: str) -> Response:
        kind = _given(fields, "grant_type")
        if kind not in ("refresh_token", "client_credentials"):
            raise Refused("unsupported_grant_type", "The authorization grant type is not supported")
        client_id, secret = _given(fields, "client_id"), SecretStr(_given(fields, "client_secret"))
        handle = SecretStr(_given(fields, "refresh_token")) if kind == "refresh_token" else None
        try:
            found = await self._guesses.evaluate(
                client_id,
                secret.get_secret_value(),
                address,
                lambda: self._client.clients.authenticate(client_id, secret, handle),
            )
        except Unauthenticated as error:
            if is_of_handle(error):
                raise Refused("invalid_grant", _INVALID_GRANT) from None
            raise Refused("invalid_client", "Client authentication failed", 401) from None
        if handle is None:
            return self._of_application(found, _given(fields, "scope"))
        await self._check_account(found)
        grant = Grant(found.client.client_id, found.client.user_id, found.account_id)
        return self._issue(grant, refresh_token=handle.get_secret_value())

    async def _check_account(self, found: Authenticated) -> None:
        """Refuse an account that cannot be used, as LWA refuses an authorization that has ended. Raises Refused."""
        try:
            check_usable(await self._client.accounts.get(found.account_id, on_behalf_of=found.client.user_id))
        except (PreconditionFailed, NotFound):
            raise Refused("invalid_grant", _REVOKED) from None

    def _of_application(self, found: Authenticated, scope: str) -> Response:
        scopes = read_scopes(scope, self._scopes)
        if not found.application_account_id:
            raise Refused(
                "invalid_scope",
                "Grantless operations need a client whose accounts belong to one application of the user in one region",
            )
        account_id = found.application_account_id
        return self._issue(Grant(found.client.client_id, found.client.user_id, account_id, scopes))

    def _issue(self, grant: Grant, **more: str) -> Response:
        token = self._tokens.issue(grant)
        return lwa_response({"access_token": token, "token_type": "bearer", "expires_in": LIFE_SECONDS, **more})


def read_scopes(scope: str, known: frozenset[str] | set[str]) -> str:
    """Return the scopes of a request, each once; SDKs separate them by a space (RFC 6749 §3.3). Raises Refused."""
    scopes = sorted(set(scope.split()))
    if not scopes or not known.issuperset(scopes):
        raise Refused("invalid_scope", "The request has an invalid scope parameter")
    return " ".join(scopes)


def _given(fields: Mapping[str, str], name: str) -> str:
    value = fields.get(name, "")
    if not value:
        raise Refused("invalid_request", f"{_MISSING}{name}")
    if len(value) > (_LONGEST_CLIENT_ID if name == "client_id" else _LONGEST) or not value.isprintable():
        # Sellergate issues no such credentials.
        refusals = {"client_id": ("invalid_client", "Client authentication failed", 401)}
        raise Refused(*refusals.get(name, ("invalid_request", f"The request has an invalid parameter : {name}", 400)))
    return value


def _fields(content_type: str, body: bytes) -> dict[str, str]:
    """Return the fields of a form or of a JSON object: SDKs send either."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/json":
        try:
            document = parsing.parse_object(body, most=MAX_BODY_BYTES, content_type=content_type)
        except parsing.ParseError as error:
            raise Refused("invalid_request", f"The request is not a JSON object: {error}") from None
        return {name: str(value) for name, value in document.items() if isinstance(value, str | int)}
    if kind == "application/x-www-form-urlencoded":
        try:
            text = body.decode("utf-8", "replace")
            return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS))
        except ValueError:
            raise Refused("invalid_request", f"The request has more than {_MOST_FIELDS} fields") from None
    raise Refused("unsupported_grant_type", "The authorization grant type is not supported")
