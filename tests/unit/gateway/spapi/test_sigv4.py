"""The gateway's signatures equal botocore's for every request, except for the plus sign of a path.

By AWS's rule each segment of the path is encoded twice, except for S3 (IAM user guide, "Create a signed AWS API request").
botocore does so and encodes %2B as %252B. SP-API refuses that: in the canonical string that it reports, %2B represents both %2B
and a plain plus sign, while other characters are encoded twice.
"""

from datetime import UTC, datetime
from unittest import mock

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr
from sellergate_gateway.model import AwsCredentials
from sellergate_gateway.spapi.http import AmazonRequest
from sellergate_gateway.spapi.sigv4 import SigV4Signer, _canonical

HOSTS = (
    "https://sellingpartnerapi-na.amazon.com",
    "https://h.test:8443",
    "http://127.0.0.1:9000",
    "https://h.test:443",
)
_path = st.text("abAB09-._~!$&'()*+,;=:@/", max_size=20) | st.sampled_from(
    ["a%2Fb", "a%2Bb+c%20d", "%C3%A9%20x", "a//b///c", "x/"]
)
_pair = st.text("ab=%~.*+/?:@,;'", max_size=6).map(lambda text: text.replace("%", "%25"))
_query = st.lists(_pair, max_size=5).map("&".join)


def by_botocore(request: AmazonRequest, credentials: AwsCredentials, region: str, now: float) -> dict[str, str]:
    tokens = {name: value for name, value in request.headers if name == "x-amz-access-token"}
    path, mark, query = request.url.partition("?")
    url = path.replace("%2B", "+") + mark + query
    signed = AWSRequest(method=request.method, url=url, data=request.body, headers=tokens)
    keys = Credentials(
        credentials.access_key_id.get_secret_value(),
        credentials.secret_access_key.get_secret_value(),
        credentials.session_token.get_secret_value(),
    )
    with mock.patch("botocore.auth.get_current_datetime", return_value=datetime.fromtimestamp(now, UTC)):
        SigV4Auth(keys, "execute-api", region).add_auth(signed)
    return {name.lower(): value for name, value in signed.headers.items()}


@settings(max_examples=500, deadline=None)
@given(
    host=st.sampled_from(HOSTS),
    method=st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]),
    path=_path.filter(lambda path: not {".", ".."} & set(path.split("/"))),
    query=_query,
    body=st.binary(max_size=50),
    token=st.none() | st.just("Atza|x+/="),
    region=st.sampled_from(["us-east-1", "eu-west-1", "us-west-2"]),
    now=st.integers(1_500_000_000, 2_500_000_000),
)
@example(HOSTS[0], "GET", "", "", b"", None, "us-east-1", 1_800_000_000)
@example(HOSTS[0], "GET", "a", "b&a=2&a=1&=&&c=%20", b"", "t", "us-east-1", 1_800_000_000)
def test_a_signature_equals_botocores(
    host: str, method: str, path: str, query: str, body: bytes, token: str | None, region: str, now: int
) -> None:
    url = f"{host}/{path.lstrip('/')}{'?' + query if query else ''}"
    tokens = () if token is None else (("x-amz-access-token", token),)
    request = AmazonRequest(method, url, (("accept", "x"), *tokens), body)
    credentials = AwsCredentials(
        SecretStr("ASIAX"), SecretStr("secret+/"), SecretStr("session=="), now + 3600.0, 3600.0
    )
    signed = SigV4Signer(lambda: float(now)).sign(request, credentials, region)
    added = {name.lower(): value for name, value in signed.headers if name != "accept"}
    assert added == by_botocore(request, credentials, region, now)
    assert (signed.method, signed.url, signed.body, signed.headers[0]) == (method, url, body, ("accept", "x"))


@pytest.mark.parametrize(
    ("sent", "canonical"),
    [
        # jrl84/amazon-sp-api#103
        (
            "/products/pricing/v0/listings/Merimieskirja%2Bkyn%C3%A4/offers",
            "/products/pricing/v0/listings/Merimieskirja%2Bkyn%25C3%25A4/offers",
        ),
        # amzn/selling-partner-api-models#2132
        (
            "/products/fees/v0/listings/SKU1%20+%20SKU2-FBA/feesEstimate",
            "/products/fees/v0/listings/SKU1%2520%2B%2520SKU2-FBA/feesEstimate",
        ),
        # amazon-php/sp-api-sdk#204
        ("/listings/2021-08-01/items/S/301Y3EA%23ABH", "/listings/2021-08-01/items/S/301Y3EA%2523ABH"),
    ],
)
def test_the_path_of_amazons_own_canonical_strings(sent: str, canonical: str) -> None:
    request = AmazonRequest("GET", HOSTS[0] + sent, (), b"")
    assert _canonical(request, "t", "20260101T000000Z", "s").split("\n")[1] == canonical
