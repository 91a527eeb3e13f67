"""Login with Amazon: the token endpoint with its three grants, its errors and their descriptions.

Sources: the Developer Guide (grants, fields, no-store), Amazon's C# client (JSON bodies), issue threads (the
descriptions), RFC 6749 §5.2 (statuses). Errors are {"error", "error_description"}, not the SP-API's `errors`.
"""

import json
import secrets
from dataclasses import dataclass
from urllib.parse import parse_qsl

from sellergate_simulator.clock import Clock
from sellergate_simulator.control.counters import Counters
from sellergate_simulator.control.journal import digest
from sellergate_simulator.http.responses import Response, json_response
from sellergate_simulator.identity.tokens import AccessToken, AccessTokens
from sellergate_simulator.state import Application, Grant, World

SCOPES = frozenset({"sellingpartnerapi::notifications", "sellingpartnerapi::client_credential:rotation"})
GRANT_TYPES = frozenset({"refresh_token", "client_credentials", "authorization_code"})
CODE_LIFE_SECONDS = 300
_INVALID_GRANT = "The request has an invalid grant parameter : "
_NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}


class LwaError(Exception):
    """A refused exchange."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(error)
        self.error = error
        self.response = json_response({"error": error, "error_description": description}, status).with_headers(
            _NO_STORE
        )


@dataclass(slots=True)
class TokenEndpoint:
    """POST /auth/o2/token."""

    world: World
    tokens: AccessTokens
    counters: Counters
    clock: Clock

    def exchange(self, content_type: str, body: bytes) -> Response:
        """Return the response to one exchange, and count it."""
        try:
            fields = _fields(content_type, body)
            grant_type = fields.get("grant_type", "")
            document = self._grant(grant_type, fields)
        except LwaError as error:
            self.counters.lwa_rejected[error.error] += 1
            return error.response
        self.counters.exchanges[grant_type] += 1
        return json_response(document).with_headers(_NO_STORE)

    def _grant(self, grant_type: str, fields: dict[str, str]) -> dict[str, object]:
        if grant_type == "":
            raise LwaError("invalid_request", "The request is missing a required parameter : grant_type")
        grants = {
            "refresh_token": self._refresh,
            "client_credentials": self._client_credentials,
            "authorization_code": self._authorization_code,
        }
        if grant_type not in grants:
            raise LwaError("unsupported_grant_type", "The authorization grant type is not supported")
        return grants[grant_type](self._application(fields), fields)

    def _application(self, fields: dict[str, str]) -> Application:
        for name in ("client_id", "client_secret"):
            if not fields.get(name):
                raise LwaError("invalid_request", f"The request is missing a required parameter : {name}")
        application = self.world.applications.get(fields["client_id"])
        if application is None or not application.accepts(fields["client_secret"], self.clock.wall()):
            raise LwaError("invalid_client", "Client authentication failed", 401)
        return application

    def _refresh(self, application: Application, fields: dict[str, str]) -> dict[str, object]:
        if fields.get("scope"):  # Amazon's SDK for Java names an empty one
            raise LwaError("invalid_request", "The request has an invalid parameter : scope")
        refresh_token = fields.get("refresh_token", "")
        if not refresh_token:
            raise LwaError("invalid_request", "The request is missing a required parameter : refresh_token")
        grant = self.world.grants.get(refresh_token)
        if grant is None:
            raise LwaError("invalid_grant", f"{_INVALID_GRANT}refresh_token")
        if grant.client_id != application.client_id:
            raise LwaError("unauthorized_client", "Not authorized for requested operation")
        if grant.revoked:
            revoked = "User may have revoked or didn't grant the permission."
            raise LwaError("invalid_grant", f"{_INVALID_GRANT}refresh_token. {revoked}")
        issued = self._issue(application, grant.selling_partner_id, None, refresh_token)
        return {**issued, "refresh_token": refresh_token}

    def _client_credentials(self, application: Application, fields: dict[str, str]) -> dict[str, object]:
        if "refresh_token" in fields:
            raise LwaError("invalid_request", "The request has an invalid parameter : refresh_token")
        if "scope" not in fields:
            raise LwaError("invalid_request", "The request is missing a required parameter : scope")
        scopes = sorted(set(fields["scope"].split()))
        if not scopes or not SCOPES.issuperset(scopes):
            raise LwaError("invalid_scope", "The request has an invalid scope parameter")
        return self._issue(application, None, " ".join(scopes))

    def _authorization_code(self, application: Application, fields: dict[str, str]) -> dict[str, object]:
        text = fields.get("code", "")
        if not text:
            raise LwaError("invalid_request", "The request is missing a required parameter : code")
        code = self.world.codes.get(text)
        if code is None or code.client_id != application.client_id or code.expires_at <= self.clock.wall():
            raise LwaError("invalid_grant", f"{_INVALID_GRANT}code")
        if fields.get("redirect_uri", code.redirect_uri) != code.redirect_uri and code.redirect_uri is not None:
            raise LwaError("invalid_grant", f"{_INVALID_GRANT}redirect_uri")
        del self.world.codes[text]
        refresh_token = f"Atzr|{secrets.token_urlsafe(96)}"
        self.world.grants[refresh_token] = Grant(application.client_id, code.selling_partner_id, code.withdrawn)
        issued = self._issue(application, code.selling_partner_id, None, refresh_token)
        return {**issued, "refresh_token": refresh_token}

    def _issue(
        self, application: Application, seller: str | None, scope: str | None, refresh_token: str = ""
    ) -> dict[str, object]:
        now, life = self.clock.wall(), self.world.token_life_seconds
        grant = digest(refresh_token.encode()) if refresh_token else ""
        token = AccessToken(application.client_id, application.application_id, seller, scope, now + life, grant=grant)
        text = self.tokens.issue(token, now)
        self.counters.journal.exchanged(self.clock.steady(), seller, grant, text)
        return {"access_token": text, "token_type": "bearer", "expires_in": int(life)}


def grant_type_of(content_type: str, body: bytes) -> str | None:
    """Return the grant type of a request; None without one."""
    try:
        return _fields(content_type, body).get("grant_type")
    except LwaError:
        return None


def _fields(content_type: str, body: bytes) -> dict[str, str]:
    """Return the fields of a form or a JSON object. Raises LwaError for any other body."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/x-www-form-urlencoded":
        return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    if kind == "application/json":
        try:
            document = json.loads(body)
        except ValueError:
            document = None
        if isinstance(document, dict):
            return {name: str(value) for name, value in document.items() if value is not None}
        raise LwaError("invalid_request", "The request is not a JSON object")
    raise LwaError("unsupported_grant_type", "The authorization grant type is not supported")
