"""The drop-in's token URL in the OpenAPI document. The calls themselves are Amazon's to describe."""

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
        "refresh_token": {**_TEXT, "writeOnly": True, "example": "sgr_…", "description": "The account's handle"},
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
            "summary": "The token URL of an SP-API SDK",
            "description": "As Login with Amazon's, with credentials of ours. The access token goes into x-amz-access-token,"
            " with any SP-API path at this host.",
            "operationId": "dropin_token",
            "requestBody": {
                "required": True,
                "content": {
                    "application/x-www-form-urlencoded": {"schema": _FORM},
                    "application/json": {"schema": _FORM},
                },
            },
            "responses": {
                "200": {"description": "A token", "content": {"application/json": {"schema": _TOKEN}}},
                "default": {"description": "A refusal", "content": {"application/json": {"schema": _ERROR}}},
            },
        }
    }
