"""Amazon's rotation of a client secret: started by a grantless call, delivered only by the application's queue."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sellergate_token.rotation.messages import read_queue_message
from sellergate_token.rotation.service import NewClientSecret

from tests.contract.amazon.sqs_server import ACCESS, SqsServer, running_sqs
from tests.contract.simulator.simulator_process import Client, Simulator, running_simulator

PATH = "/applications/2023-11-30/clientSecret"
SCOPE = "sellingpartnerapi::client_credential:rotation"


@pytest.fixture(scope="module")
def amazon() -> Iterator[Simulator]:
    with running_simulator() as simulator:
        yield simulator


@pytest.fixture(scope="module")
def sqs() -> Iterator[SqsServer]:
    with running_sqs() as running:
        yield running


def grantless(client: Client, scope: str = SCOPE) -> str:
    return str(client.exchange(grant_type="client_credentials", scope=scope).raise_for_status().json()["access_token"])


def enrol(client: Client, queue: str | None) -> None:
    document = {"client_id": client.client_id, "queue_url": queue, "region": ACCESS["AWS_REGION"]}
    client.simulator.post_control("secrets/queue", document)


def test_the_new_secret_comes_on_the_queue_and_both_work(amazon: Simulator, sqs: SqsServer) -> None:
    client, (queue, _) = amazon.client(), sqs.queue()
    enrol(client, queue)
    response = client.call("POST", PATH, token=grantless(client))
    assert (response.status_code, response.content) == (204, b"")
    (message,) = sqs.client.receive_message(QueueUrl=queue, WaitTimeSeconds=10)["Messages"]
    body = json.loads(message["Body"])
    assert body["notificationMetadata"]["applicationId"] == client.application_id
    read = read_queue_message(message["Body"].encode())
    assert isinstance(read, NewClientSecret)
    assert read.client_id is not None
    assert read.client_id.get_secret_value() == client.client_id
    assert read.until is not None
    assert read.old_until is not None
    assert read.until - read.old_until == timedelta(days=173)
    assert abs(read.old_until - datetime.now(UTC) - timedelta(days=7)) < timedelta(minutes=1)
    assert client.exchange().status_code == 200
    assert client.exchange(client_secret=read.client_secret.get_secret_value()).status_code == 200


def test_it_is_refused_without_a_queue_and_without_its_scope(amazon: Simulator, sqs: SqsServer) -> None:
    client, (queue, _) = amazon.client(), sqs.queue()
    amazon.post_control("rates", {"scale": 1000, "burst_scale": 10})
    assert client.call("POST", PATH, token=grantless(client)).status_code == 400
    enrol(client, queue)
    assert client.call("POST", PATH).status_code == 403
    assert client.call("POST", PATH, token=grantless(client, "sellingpartnerapi::notifications")).status_code == 403
    assert client.call("POST", PATH, token=grantless(client), address="sandbox").status_code == 400
    enrol(client, None)
    assert client.call("POST", PATH, token=grantless(client)).status_code == 400
    assert sqs.left(queue) == 0
    assert client.exchange().status_code == 200
