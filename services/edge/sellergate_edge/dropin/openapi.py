"""The token URL of the drop-in endpoint in the OpenAPI document. Amazon's own documents describe the calls."""

from typing import Any

from sellergate_edge.dropin.exchange import PATH

_TEXT = {"type": "string"}
_FORM = {
    "type": "object",
    "required": ["grant_type", "client_id", "client_secret"],
    "properties": {
        "grant_type": {"enum": ["refresh_token", "client_credentials"]},
        "client_id": {**_TEXT, "example": "sgc_…"},
        "client_secret": {**_TEXT, "writeOnly": True, "example": "sgs_…"},
        "refresh_token": {
            **_TEXT,
            "writeOnly": True,
            "example": "sgr_…",
            "description": "The account's drop-in refresh token",
        },
        "scope": {**_TEXT, "example": "sellingpartnerapi::notifications"},
    },
}
_TOKEN = {
    "type": "object",
    "required": ["access_token", "token_type", "expires_in"],
    "properties": {
        "access_token": _TEXT,
        "token_type": {"const": "bearer"},
        "expires_in": {"type": "integer"},
        "refresh_token": _TEXT,
    },
}
_ERROR = {
    "type": "object",
    "required": ["error", "error_description"],
    "properties": {"error": {**_TEXT, "example": "invalid_grant"}, "error_description": _TEXT},
}


def describe(document: dict[str, Any]) -> None:
    """Add the route to an OpenAPI document."""
    document["paths"][PATH] = {
        "post": {
            "tags": ["drop-in"],
            "summary": "Get an access token for an SP-API SDK",
            "description": "Works as the token URL of Login with Amazon, with credentials of Sellergate. The access token goes"
            " into `x-amz-access-token` with any path of SP-API at this host. The header `x-sellergate-max-wait` (0 to 20 seconds)"
            " says how long such a call may wait for quota; without it, the time is the setting `SELLERGATE_DROPIN_MAX_WAIT`."
            " A call ends when the SDK closes the connection, at the latest after 290 seconds, or those of the header"
            " `x-sellergate-timeout` (1 to 290)."
            " Every 429 has `Retry-After`.",
            "operationId": "issueDropInToken",
            "requestBody": {
                "required": True,
                "content": {
                    "application/x-www-form-urlencoded": {"schema": _FORM},
                    "application/json": {"schema": _FORM},
                },
            },
            "responses": {
                "200": {"description": "An access token", "content": {"application/json": {"schema": _TOKEN}}},
                "default": {
                    "description": "An error as LWA reports it (RFC 6749 §5.2)",
                    "content": {"application/json": {"schema": _ERROR}},
                },
            },
        }
    }
