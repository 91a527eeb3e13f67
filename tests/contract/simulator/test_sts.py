"""STS through boto3's client: accepted requests, and the exception of botocore for each refusal."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.contract.simulator.simulator_process import AWS_KEY_ID, AWS_SECRET, ROLE_ARN, Simulator, running_simulator

GUARDED_ARN = "arn:aws:iam::123456789012:role/path/Guarded"


@pytest.fixture(scope="module")
def amazon() -> Iterator[Simulator]:
    with running_simulator() as simulator:
        roles = [{"arn": ROLE_ARN, "external_id": None}, {"arn": GUARDED_ARN, "external_id": "ours"}]
        keys = [{"access_key_id": AWS_KEY_ID, "secret_access_key": AWS_SECRET}]
        simulator.post_control("seed", {"roles": roles, "aws_keys": keys})
        yield simulator


def sts_client(amazon: Simulator, key_id: str = AWS_KEY_ID, secret: str = AWS_SECRET, token: str | None = None) -> Any:
    return boto3.client(
        "sts",
        endpoint_url=amazon.main,
        region_name="eu-central-1",
        aws_access_key_id=key_id,
        aws_secret_access_key=secret,
        aws_session_token=token,
        # Without botocore's own checks, so that the simulator's are tested.
        config=Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=5, parameter_validation=False),
    )


def refusal(client: Any, **arguments: Any) -> tuple[str, int]:
    with pytest.raises(ClientError) as raised:
        client.assume_role(**{"RoleArn": ROLE_ARN, "RoleSessionName": "test", **arguments})
    assert raised.value.response["ResponseMetadata"]["RequestId"]
    return raised.value.response["Error"]["Code"], raised.value.response["ResponseMetadata"]["HTTPStatusCode"]


def test_assume_role_gives_temporary_credentials(amazon: Simulator) -> None:
    before = amazon.counters()["sts"]["assume_role"]
    response = sts_client(amazon).assume_role(RoleArn=ROLE_ARN, RoleSessionName="sellergate", DurationSeconds=900)
    credentials = response["Credentials"]
    assert credentials["AccessKeyId"].startswith("ASIA")
    assert credentials["SecretAccessKey"]
    assert credentials["SessionToken"]
    left = (credentials["Expiration"] - datetime.now(UTC)).total_seconds()
    assert 890 < left <= 900
    assert response["AssumedRoleUser"]["Arn"] == "arn:aws:sts::123456789012:assumed-role/SP-API-Role/sellergate"
    assert response["ResponseMetadata"]["RequestId"]
    assert amazon.counters()["sts"]["assume_role"] == before + 1


def test_the_default_duration_is_an_hour(amazon: Simulator) -> None:
    response = sts_client(amazon).assume_role(RoleArn=ROLE_ARN, RoleSessionName="sellergate")
    assert 3590 < (response["Credentials"]["Expiration"] - datetime.now(UTC)).total_seconds() <= 3600


def test_the_identity_of_a_key_and_of_a_session(amazon: Simulator) -> None:
    assert sts_client(amazon).get_caller_identity()["UserId"] == AWS_KEY_ID
    credentials = sts_client(amazon).assume_role(RoleArn=ROLE_ARN, RoleSessionName="me")["Credentials"]
    session = sts_client(
        amazon, credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials["SessionToken"]
    )
    assert session.get_caller_identity()["Arn"].endswith("assumed-role/SP-API-Role/me")
    without_token = sts_client(amazon, credentials["AccessKeyId"], credentials["SecretAccessKey"])
    assert refusal(without_token) == ("InvalidClientTokenId", 403)


def test_the_external_id_must_be_the_roles_own(amazon: Simulator) -> None:
    client = sts_client(amazon)
    assert client.assume_role(RoleArn=GUARDED_ARN, RoleSessionName="test", ExternalId="ours")["Credentials"]
    assert refusal(client, RoleArn=GUARDED_ARN, ExternalId="theirs") == ("AccessDenied", 403)
    assert refusal(client, RoleArn=GUARDED_ARN) == ("AccessDenied", 403)


@pytest.mark.parametrize(
    ("arguments", "code", "status"),
    [
        ({"RoleArn": "arn:aws:iam::123456789012:role/Unknown"}, "AccessDenied", 403),
        ({"RoleArn": "arn:aws:iam::12:user/Somebody"}, "ValidationError", 400),
        ({"RoleSessionName": "no spaces"}, "ValidationError", 400),
        ({"DurationSeconds": 899}, "ValidationError", 400),
        ({"DurationSeconds": 43_201}, "ValidationError", 400),
    ],
)
def test_refusals(amazon: Simulator, arguments: dict[str, Any], code: str, status: int) -> None:
    before = amazon.counters()["sts"]["rejected"]
    assert refusal(sts_client(amazon), **arguments) == (code, status)
    assert amazon.counters()["sts"]["rejected"] == before + 1


def test_the_signature_of_the_request_counts(amazon: Simulator) -> None:
    assert refusal(sts_client(amazon, secret="wrong")) == ("SignatureDoesNotMatch", 403)
    assert refusal(sts_client(amazon, key_id="AKIAUNKNOWN000000000")) == ("InvalidClientTokenId", 403)
    form = {"Action": "AssumeRole", "RoleArn": ROLE_ARN, "RoleSessionName": "test"}
    unsigned = amazon.http.post(amazon.main, data=form)
    assert (unsigned.status_code, "MissingAuthenticationToken" in unsigned.text) == (403, True)


def test_throttling_on_demand(amazon: Simulator) -> None:
    amazon.post_control("faults", {"kind": "sts_throttle", "count": 1})
    assert refusal(sts_client(amazon)) == ("Throttling", 400)
    assert sts_client(amazon).assume_role(RoleArn=ROLE_ARN, RoleSessionName="again")["Credentials"]
