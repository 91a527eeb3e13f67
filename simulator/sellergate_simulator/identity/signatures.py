"""Verification of AWS Signature Version 4: botocore calculates the signature again from the received request."""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from hmac import compare_digest
from typing import TYPE_CHECKING, Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials
from sellergate_amazon.paths import with_plain_plus

from sellergate_simulator.state import AwsKey

if TYPE_CHECKING:
    from multidict import CIMultiDictProxy

ALLOWED_SKEW_SECONDS = 300
MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key"
    " and signing method. Consult the service documentation for details."
)
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256\s+Credential=(?P<key>[^/,\s]+)/(?P<date>\d{8})/(?P<region>[^/,\s]+)/(?P<service>[^/,\s]+)"
    r"/aws4_request\s*,\s*SignedHeaders=(?P<headers>[^,\s]+)\s*,\s*Signature=(?P<signature>[0-9a-f]{64})\s*"
)


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """The parts of a request that a signature covers, as received."""

    method: str
    raw_path: str
    raw_query: str
    headers: "CIMultiDictProxy[str]"
    body: bytes


class SignatureRefused(Exception):
    """An invalid signature. `kind`: malformed, unknown_key, stale, expired_session, scope or mismatch."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(kind)
        self.kind = kind
        self.message = message


class _Recalculation(SigV4Auth):  # type: ignore[misc]  # botocore ships no types
    """botocore's signer over exactly the headers that the client lists as signed (User-Agent included).

    As SP-API does, it decodes %2B in a path to a plus sign.
    """

    def _normalize_url_path(self, path: str) -> str:
        return str(super()._normalize_url_path(with_plain_plus(path)))

    def headers_to_sign(self, request: AWSRequest) -> HTTPHeaders:
        return request.context["signed_headers"]


def is_signed(headers: "CIMultiDictProxy[str]") -> bool:
    """Return whether a request has a SigV4 signature."""
    return headers.get("Authorization", "").startswith("AWS4-HMAC-SHA256")


def verify(
    request: SignedRequest,
    *,
    service: str,
    regions: Collection[str] | None,
    key_of: Callable[[str], AwsKey | None],
    now: float,
) -> AwsKey:
    """Return the key that signed a request for a service, in one of the regions (None: any region).

    Raises SignatureRefused.
    """
    parts = _AUTHORIZATION.fullmatch(request.headers.get("Authorization", ""))
    signed_names = parts["headers"].split(";") if parts else []
    if parts is None or "host" not in signed_names:
        raise SignatureRefused(
            "malformed", "Authorization header requires Credential, SignedHeaders with host, and Signature."
        )
    key = _known_key(request, key_of(parts["key"]), now)
    if parts["service"] != service:
        raise SignatureRefused("scope", f"Credential should be scoped to correct service: '{service}'.")
    if regions is not None and parts["region"] not in regions:
        raise SignatureRefused("scope", f"Credential should be scoped to a valid region, not '{parts['region']}'.")
    timestamp = _timestamp(request, parts["date"], now)
    if not compare_digest(_signature(request, key, parts, signed_names, timestamp), parts["signature"]):
        raise SignatureRefused("mismatch", MISMATCH)
    return key


def _known_key(request: SignedRequest, key: AwsKey | None, now: float) -> AwsKey:
    sent = request.headers.get("X-Amz-Security-Token", "")
    if key is None or not compare_digest(sent.encode(), (key.session_token or "").encode()):
        raise SignatureRefused("unknown_key", "The security token included in the request is invalid.")
    if key.expires_at is not None and key.expires_at <= now:
        raise SignatureRefused("expired_session", "The security token included in the request is expired")
    return key


def _timestamp(request: SignedRequest, scope_date: str, now: float) -> str:
    timestamp = request.headers.get("X-Amz-Date", "")
    try:
        signed_at = datetime.strptime(timestamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise SignatureRefused("malformed", "Authorization header requires a valid 'X-Amz-Date' header.") from None
    if abs(signed_at - now) > ALLOWED_SKEW_SECONDS or not timestamp.startswith(scope_date):
        today, bound = (datetime.fromtimestamp(at, UTC).strftime("%Y%m%dT%H%M%SZ") for at in (now, now - 300))
        raise SignatureRefused(
            "stale", f"Signature expired: {timestamp} is now earlier than {bound} ({today} - 5 min.)"
        )
    return timestamp


def _signature(
    request: SignedRequest, key: AwsKey, parts: re.Match[str], signed_names: list[str], timestamp: str
) -> str:
    """Calculate the signature with botocore over the received body, whatever hash the client sent."""
    signed = HTTPHeaders()
    for name in signed_names:
        for value in request.headers.getall(name, []):
            signed[name] = value
    url = f"http://{request.headers.get('Host', '')}{request.raw_path}"
    if request.raw_query:
        url = f"{url}?{request.raw_query}"
    recalculated: Any = AWSRequest(method=request.method, url=url, data=request.body)
    recalculated.context.update(timestamp=timestamp, signed_headers=signed)
    credentials = Credentials(key.access_key_id, key.secret_access_key)
    signer: Any = _Recalculation(credentials, parts["service"], parts["region"])
    return str(
        signer.signature(signer.string_to_sign(recalculated, signer.canonical_request(recalculated)), recalculated)
    )
