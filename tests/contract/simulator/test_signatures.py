"""SigV4 at the SP-API: botocore signs with credentials from the simulator's STS, the simulator verifies."""

from collections.abc import Iterator
from typing import Any

import boto3
import httpx
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.contract.simulator.simulator_process import (
    AWS_KEY_ID,
    AWS_SECRET,
    GERMANY,
    ROLE_ARN,
    US,
    Client,
    Simulator,
    running_simulator,
)

PATH = "/sellers/v1/account"


@pytest.fixture(scope="module")
def amazon() -> Iterator[Simulator]:
    with running_simulator() as simulator:
        keys = [{"access_key_id": AWS_KEY_ID, "secret_access_key": AWS_SECRET}]
        simulator.post_control("seed", {"roles": [{"arn": ROLE_ARN}], "aws_keys": keys})
        simulator.post_control("rates", {"scale": 1000, "burst_scale": 100})
        yield simulator


@pytest.fixture
def session(amazon: Simulator) -> Credentials:
    return new_session(amazon)


def new_session(amazon: Simulator) -> Credentials:
    sts: Any = boto3.client(
        "sts",
        endpoint_url=amazon.main,
        region_name="us-east-1",
        aws_access_key_id=AWS_KEY_ID,
        aws_secret_access_key=AWS_SECRET,
    )
    got = sts.assume_role(RoleArn=ROLE_ARN, RoleSessionName="test")["Credentials"]
    return Credentials(got["AccessKeyId"], got["SecretAccessKey"], got["SessionToken"])


@pytest.fixture(scope="module")
def client(amazon: Simulator) -> Client:
    return amazon.client(US, GERMANY)


def signed(
    client: Client,
    credentials: Credentials,
    *,
    method: str = "GET",
    path: str = PATH,
    body: bytes = b"",
    address: str = "na",
    service: str = "execute-api",
    region: str = "us-east-1",
    sent_path: str | None = None,
    sent_body: bytes | None = None,
) -> httpx.Response:
    """Sign one request with botocore and send it, or another one with the same signature."""
    base = client.simulator.url(address)
    headers = {"x-amz-access-token": client.access_token(), "host": base.removeprefix("http://")}
    request = AWSRequest(method=method, url=base + path, data=body, headers=headers)
    SigV4Auth(credentials, service, region).add_auth(request)
    content = body if sent_body is None else sent_body
    target = base + (path if sent_path is None else sent_path)
    return client.simulator.http.request(method, target, headers=dict(request.headers), content=content or None)


def error(response: httpx.Response) -> tuple[int, str, str]:
    first = response.json()["errors"][0]
    return response.status_code, first["code"], first["message"]


def test_a_good_signature_is_verified_and_counted(client: Client, session: Credentials) -> None:
    before = client.simulator.counters()
    assert signed(client, session).status_code == 200
    assert client.call("GET", PATH).status_code == 200
    after = client.simulator.counters()
    assert after["signed_calls"] == before["signed_calls"] + 1
    assert after["unsigned_calls"] == before["unsigned_calls"] + 1


def test_the_echo_names_the_role_that_signed(client: Client, session: Credentials) -> None:
    arn = signed(client, session).json()["payload"]["echo"]["assumed_role_arn"]
    assert arn.startswith("arn:aws:sts::123456789012:assumed-role/SP-API-Role/")
    assert client.call("GET", PATH).json()["payload"]["echo"]["assumed_role_arn"] is None


@pytest.mark.parametrize(
    ("address", "region"),
    [("na", "us-east-1"), ("eu", "eu-west-1"), ("sandbox", "eu-west-1"), ("sandbox", "us-west-2")],
)
def test_each_region_has_its_scope(client: Client, session: Credentials, address: str, region: str) -> None:
    assert signed(client, session, address=address, region=region).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        f"/orders/v0/orders?MarketplaceIds={US}&CreatedAfter=2026-11-01T00%3A00%3A00Z",
        "/sellers/v1/account?b=2&a=%2C&a=1&flag=",
        "/messaging/v1/orders/a%20b%2Fc/attributes",
    ],
)
def test_queries_and_encoded_paths(client: Client, session: Credentials, path: str) -> None:
    assert signed(client, session, path=path).status_code == 200


def test_bodies_are_covered(client: Client, session: Credentials) -> None:
    path = f"/solicitations/v1/orders/1/solicitations/productReviewAndSellerFeedback?marketplaceIds={US}"
    assert signed(client, session, method="POST", path=path, body=b'{"a":1}').status_code == 201
    tampered = signed(client, session, method="POST", path=path, body=b'{"a":1}', sent_body=b'{"a":2}')
    assert error(tampered)[:2] == (403, "InvalidSignature")


def test_a_tampered_request_is_refused(client: Client, session: Credentials) -> None:
    refused = signed(client, session, sent_path=f"{PATH}?x=1")
    assert error(refused)[:2] == (403, "InvalidSignature")
    assert error(refused)[2].startswith("The request signature we calculated does not match")
    assert refused.headers["x-amzn-errortype"] == "InvalidSignatureException"


def test_wrong_secret_key_session_service_and_region(client: Client, session: Credentials) -> None:
    wrong_secret = Credentials(session.access_key, "wrong", session.token)
    assert error(signed(client, wrong_secret))[:2] == (403, "InvalidSignature")
    without_token = Credentials(session.access_key, session.secret_key)
    assert error(signed(client, without_token))[:2] == (403, "Unauthorized")
    unknown = Credentials("ASIAUNKNOWN", "x", "y")
    assert error(signed(client, unknown))[2] == "The security token included in the request is invalid."
    assert error(signed(client, session, service="s3"))[1] == "InvalidSignature"
    assert error(signed(client, session, region="eu-west-1"))[1] == "InvalidSignature"
    assert error(signed(client, session, address="eu"))[1] == "InvalidSignature"


def test_a_malformed_authorization_is_refused(client: Client) -> None:
    response = client.call("GET", PATH, headers={"Authorization": "AWS4-HMAC-SHA256 rubbish"})
    assert error(response)[:2] == (403, "InvalidSignature")


def test_an_expired_session_says_so(amazon: Simulator, client: Client) -> None:
    credentials = new_session(amazon)
    assert signed(client, credentials).status_code == 200
    assert amazon.post_control("sessions/expire")["expired"] >= 1
    refused = error(signed(client, credentials))
    assert refused == (403, "Unauthorized", "The security token included in the request is expired")


def test_a_stale_date_is_refused(client: Client, session: Credentials, monkeypatch: pytest.MonkeyPatch) -> None:
    from datetime import UTC, datetime, timedelta

    import botocore.auth

    early = datetime.now(UTC) - timedelta(minutes=6)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *_, **__: early)
    status, code, message = error(signed(client, session))
    assert (status, code) == (403, "InvalidSignature")
    assert message.startswith("Signature expired: ")
    assert message.endswith("- 5 min.)")
