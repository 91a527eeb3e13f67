"""The webhook of credential rotations. The token service verifies the signature of the unchanged bytes."""

from typing import Annotated

from fastapi import APIRouter, Header, Request
from sellergate_common.errors import Unauthenticated

from sellergate_edge.dependencies import Provided
from sellergate_edge.request_body import JSON_SECONDS, read_body
from sellergate_edge.routes.models import Applied
from sellergate_edge.routes.user_route import DocumentRoute

MAX_BODY_BYTES = 64 * 1024
_LONGEST_TIMESTAMP = 32
_LONGEST_SIGNATURE = 256
_TEXT, _SECRET = {"type": "string"}, {"type": "string", "writeOnly": True}
_TIME = {"type": "string", "format": "date-time"}
_BODY = {
    "type": "object",
    "required": ["type", "applicationId"],
    "additionalProperties": False,
    "properties": {
        "type": {"enum": ["REFRESH_TOKEN", "CLIENT_SECRET"]},
        "applicationId": _TEXT,
        "accountId": _TEXT,
        "refreshToken": _SECRET,
        "authorizationExpireTime": _TIME,
        "lwaClientId": _TEXT,
        "clientSecret": _SECRET,
        "secretExpireTime": _TIME,
        "oldSecretExpireTime": _TIME,
    },
}

router = APIRouter(prefix="/api/amazon/webhooks", tags=["webhooks"], route_class=DocumentRoute)


@router.post(
    "/token-rotation",
    operation_id="applyRotation",
    openapi_extra={"requestBody": {"required": True, "content": {"application/json": {"schema": _BODY}}}},
)
async def token_rotation(
    request: Request,
    provided: Provided,
    x_sellergate_timestamp: Annotated[
        str, Header(description="Time of the signature in seconds since 1970; at most 300 s from the current time.")
    ] = "",
    x_sellergate_signature: Annotated[
        str, Header(description="`v1=` and HMAC-SHA256(secret, timestamp + '.' + body) in hexadecimal.")
    ] = "",
) -> Applied:
    """Store a new refresh token, after one successful exchange, or a new client secret.

    The request needs no JWT: it is signed with the webhook's secret. Sign each attempt with its own timestamp.
    """
    if not _is_signed(x_sellergate_timestamp, x_sellergate_signature):
        raise Unauthenticated("The request is not signed. Send X-Sellergate-Timestamp and X-Sellergate-Signature.")
    body = await read_body(request, MAX_BODY_BYTES, JSON_SECONDS)
    return Applied(applied=await provided.rotations.webhook(x_sellergate_timestamp, x_sellergate_signature, body))


def _is_signed(timestamp: str, signature: str) -> bool:
    return 0 < len(timestamp) <= _LONGEST_TIMESTAMP and 0 < len(signature) <= _LONGEST_SIGNATURE
