"""AWS Signature Version 4 by botocore, in the headers, for a request whose body is known only by its hash."""

from typing import Any

from botocore.auth import EMPTY_SHA256_HASH, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from sellergate_amazon.marketplaces import SIGNING_SERVICE
from sellergate_amazon.paths import with_plain_plus

from sellergate_iam.ports import AwsCredentials, Headers, UnsignedRequest

_ADDED = ("authorization", "x-amz-date", "x-amz-security-token")


class BotoSigner:
    """A signer of requests to SP-API."""

    def sign(self, request: UnsignedRequest, credentials: AwsCredentials, region: str) -> Headers:
        """Return the headers that sign the request."""
        signed = AWSRequest(method=request.method, url=request.url)
        for name, value in request.headers:
            signed.headers[name] = value  # appends a header; it replaces none
        keys = Credentials(
            credentials.access_key_id.get_secret_value(),
            credentials.secret_access_key.get_secret_value(),
            credentials.session_token.get_secret_value(),
        )
        _HashedBodyAuth(keys, SIGNING_SERVICE, region, request.payload_sha256).add_auth(signed)
        return tuple((name, signed.headers[name]) for name in _ADDED)


class _HashedBodyAuth(SigV4Auth):  # type: ignore[misc]  # botocore ships no types
    """botocore's signer with the body's hash in place of the body, and with plus signs of a path encoded as SP-API expects."""

    def __init__(self, keys: Credentials, service: str, region: str, payload_sha256: str) -> None:
        super().__init__(keys, service, region)
        self._payload_sha256 = payload_sha256 or EMPTY_SHA256_HASH

    def _normalize_url_path(self, path: str) -> str:
        return str(super()._normalize_url_path(with_plain_plus(path)))

    def payload(self, request: Any) -> str:  # noqa: ARG002  (botocore's signature)
        return self._payload_sha256
