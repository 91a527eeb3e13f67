"""AWS Signature Version 4 for execute-api, in the headers (never in the query).

botocore's signer is not used, since it takes a hundred microseconds per call (ADR 0017). tests/unit/gateway/spapi/test_sigv4.py
compares the two; they differ only in the plus sign of a path. Source: "Signature Version 4 signing process", IAM user guide;
which headers: SP-API Developer Guide, "signing the request".
"""

import hashlib
import hmac
import re
import time
from collections.abc import Callable
from functools import lru_cache
from urllib.parse import quote

from sellergate_amazon.marketplaces import SIGNING_SERVICE
from sellergate_amazon.paths import with_plain_plus
from yarl import URL

from sellergate_gateway.model import AwsCredentials
from sellergate_gateway.spapi.http import AmazonRequest

_ALGORITHM = "AWS4-HMAC-SHA256"
# The signed headers in their order, with the access token if there is one; see `_canonical`.
_SIGNED = "host;x-amz-access-token;x-amz-date;x-amz-security-token"
_SIGNED_WITHOUT = "host;x-amz-date;x-amz-security-token"
_TOKEN = "x-amz-access-token"
_SLASHES = re.compile("/{2,}")
# Keys are derived once per day, region and session, which lasts an hour; keys of ended sessions are evicted.
_KEPT_KEYS = 4_096


class SigV4Signer:
    """A signer of requests as they are sent. `now` is the wall clock in seconds since the epoch."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._key = lru_cache(_KEPT_KEYS)(_signing_key)

    def sign(self, request: AmazonRequest, credentials: AwsCredentials, region: str) -> AmazonRequest:
        """Return the request with Authorization, x-amz-date and x-amz-security-token."""
        stamp, session = _stamp(int(self._now())), credentials.session_token.get_secret_value()
        scope = f"{stamp[:8]}/{region}/{SIGNING_SERVICE}/aws4_request"
        token = next((value for name, value in request.headers if name == _TOKEN), None)
        canonical = _canonical(request, token, stamp, session)
        to_sign = f"{_ALGORITHM}\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        key = self._key(credentials.secret_access_key.get_secret_value(), stamp[:8], region)
        signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
        authorization = (
            f"{_ALGORITHM} Credential={credentials.access_key_id.get_secret_value()}/{scope},"
            f" SignedHeaders={_SIGNED_WITHOUT if token is None else _SIGNED}, Signature={signature}"
        )
        added = (("x-amz-date", stamp), ("x-amz-security-token", session), ("Authorization", authorization))
        return AmazonRequest(request.method, request.url, request.headers + added, request.body, request.operation)


def _canonical(request: AmazonRequest, token: str | None, stamp: str, session: str) -> str:
    url = URL(request.url, encoded=True)
    path, query = url.raw_path, url.raw_query_string
    if "//" in path:
        path = _SLASHES.sub("/", path)
    path = with_plain_plus(path)
    if query:
        query = "&".join([f"{name}={value}" for name, _, value in sorted(p.partition("=") for p in query.split("&"))])
    with_token, names = (f"{_TOKEN}:{token}\n", _SIGNED) if token is not None else ("", _SIGNED_WITHOUT)
    return (
        # Percent signs of the path are encoded again, as for all services except S3.
        f"{request.method}\n{quote(path, safe='/~')}\n{query}\n"
        f"host:{url.host_port_subcomponent}\n{with_token}x-amz-date:{stamp}\nx-amz-security-token:{session}\n"
        f"\n{names}\n{hashlib.sha256(request.body).hexdigest()}"
    )


@lru_cache(4)
def _stamp(second: int) -> str:
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(second))


def _signing_key(secret: str, date: str, region: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (date, region, SIGNING_SERVICE, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
