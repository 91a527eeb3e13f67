"""AWS Signature Version 4 by botocore, for execute-api, in the headers (never in the query)."""

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from sellergate_amazon.marketplaces import SIGNING_SERVICE

from sellergate_gateway.ports import AmazonRequest, AwsCredentials

# Signed beside host, x-amz-date and x-amz-security-token (Developer Guide, "signing the request").
_SIGNED = frozenset({"x-amz-access-token"})


class SigV4Signer:
    """Signs requests as they are sent."""

    def sign(self, request: AmazonRequest, credentials: AwsCredentials, region: str) -> AmazonRequest:
        """Return the request with Authorization, x-amz-date and x-amz-security-token."""
        signed = AWSRequest(
            method=request.method,
            url=request.url,
            data=request.body,
            headers={name: value for name, value in request.headers if name.lower() in _SIGNED},
        )
        keys = Credentials(
            credentials.access_key_id.get_secret_value(),
            credentials.secret_access_key.get_secret_value(),
            credentials.session_token.get_secret_value(),
        )
        SigV4Auth(keys, SIGNING_SERVICE, region).add_auth(signed)
        added = tuple((name, value) for name, value in signed.headers.items() if name.lower() not in _SIGNED)
        return AmazonRequest(request.method, request.url, request.headers + added, request.body)
