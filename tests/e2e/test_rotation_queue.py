"""Amazon's queue and a token service as a process: a message is applied and deleted, and the process stops at once."""

import asyncio
import os
import secrets
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from sellergate.account.v1 import account_service_pb2, application_pb2, application_service_pb2
from sellergate.account.v1.account_secrets_service_pb2 import GetApplicationSecretsRequest
from sellergate.account.v1.account_secrets_service_pb2_grpc import AccountSecretsServiceStub
from sellergate.account.v1.account_service_pb2_grpc import AccountServiceStub
from sellergate.account.v1.application_service_pb2_grpc import ApplicationServiceStub
from sellergate_common.rpc.channel import invoke, open_channel
from sellergate_devstack.processes.ports import LOOPBACK, free_ports
from sellergate_devstack.processes.probes import grpc_serves
from sellergate_devstack.processes.supervisor import Process, Supervisor
from sellergate_devstack.suite import Suite

from tests.contract.amazon.sqs_server import SqsServer, running_sqs
from tests.e2e.forked import run
from tests.e2e.sellers import Seller
from tests.e2e.test_rotation import command
from tests.fakes.token import new_secret, secret_expiry


@pytest.fixture(scope="module")
def sqs() -> Iterator[SqsServer]:
    with running_sqs() as running:
        yield running


@pytest.fixture
async def consumer(suite: Suite, sqs: SqsServer, tmp_path: Path) -> AsyncIterator[tuple[Process, str]]:
    queue, _ = sqs.queue()
    (port,) = free_ports(1)
    environment = {
        **suite.supervisor.processes["token"].environment,
        **sqs.environment,
        "SELLERGATE_TOKEN_PORT": str(port),
        "SELLERGATE_ROTATION_QUEUE_URL": queue,
        # A message that fails on a busy machine is delivered again soon.
        "SELLERGATE_ROTATION_QUEUE_VISIBILITY_SECONDS": "5",
    }
    serves = grpc_serves(f"{LOOPBACK}:{port}", "token", suite.identity("operator"))
    process = Process("token", command("token"), environment, tmp_path / "token.log", serves)
    supervisor = Supervisor(lambda _: None)
    try:
        await supervisor.start(process)
        yield process, queue
    finally:
        await supervisor.stop()


async def test_amazons_message_reaches_the_operators_application(
    suite: Suite, sqs: SqsServer, seller: Seller, consumer: tuple[Process, str]
) -> None:
    process, queue = consumer
    application = application_service_pb2.CreateApplicationRequest(
        application=application_pb2.Application(name="Amazon rotates it"),
        lwa_client_id=seller.client_id,
        lwa_client_secret=seller.client_secret,
    )
    fresh, now = f"amzn1.oa2-cs.v1.{secrets.token_hex(32)}", datetime.now(UTC).replace(microsecond=0)
    async with (
        open_channel(suite.target("account"), "account", suite.identity("operator"), []) as operator,
        open_channel(suite.target("account"), "account", suite.identity("token"), []) as token,
    ):
        stub = ApplicationServiceStub(operator)
        made = (await invoke(stub.CreateApplication, application, dependency="account")).application
        sqs.send(queue, "not for us")
        sqs.send(queue, new_secret(seller.client_id, fresh, now))
        await until(sqs, queue, 1)
        request = GetApplicationSecretsRequest(application_id=made.application_id)
        opened = await invoke(AccountSecretsServiceStub(token).GetApplicationSecrets, request, dependency="account")
        assert opened.application.client_secret == fresh
        assert opened.application.previous_client_secret == seller.client_secret

        sqs.send(queue, secret_expiry(seller.client_id, now + timedelta(days=90), now + timedelta(days=1)))
        await until(sqs, queue, 1)
        get = application_service_pb2.GetApplicationRequest(application_id=made.application_id)
        known = (await invoke(stub.GetApplication, get, dependency="account")).application
        assert known.secret_expire_time.ToDatetime(tzinfo=UTC) == now + timedelta(days=90)
        assert known.previous_secret_expire_time.ToDatetime(tzinfo=UTC) == now + timedelta(days=7)
    assert process.handle is not None
    started = time.monotonic()
    process.send(signal.SIGTERM)
    assert await asyncio.to_thread(process.handle.wait, 30) == 0
    assert time.monotonic() - started < 15, "a long poll of 20 s is left behind"
    log = process.log.read_text()
    assert not any(shape in log for shape in (fresh, seller.client_id, "not for us"))


async def until(sqs: SqsServer, queue: str, left: int) -> None:
    for _ in range(200):
        if await asyncio.to_thread(sqs.left, queue) == left:
            return
        await asyncio.sleep(0.1)
    raise AssertionError("the queue did not empty")


async def test_an_operator_starts_a_rotation_and_sees_its_end(
    suite: Suite, control: httpx.AsyncClient, sqs: SqsServer, seller: Seller, consumer: tuple[Process, str]
) -> None:
    _, queue = consumer
    application = application_service_pb2.CreateApplicationRequest(
        application=application_pb2.Application(name="Rotated by command"),
        lwa_client_id=seller.client_id,
        lwa_client_secret=seller.client_secret,
    )
    async with open_channel(suite.target("account"), "account", suite.identity("operator"), []) as operator:
        made = await invoke(ApplicationServiceStub(operator).CreateApplication, application, dependency="account")
        application_id = made.application.application_id
        done = await asyncio.to_thread(rotated, suite, application_id)
        assert done.returncode == 1
        assert "No account uses this application" in done.stderr

        account = account_service_pb2.UpsertAccountRequest(
            user_id="u-rotates",
            application_id=application_id,
            amazon_seller_id=seller.seller_id,
            marketplace="US",
            refresh_token=seller.refresh_token,
        )
        await invoke(AccountServiceStub(operator).UpsertAccount, account, dependency="account")
    enrolled = {"client_id": seller.client_id, "queue_url": queue, "region": sqs.environment["AWS_REGION"]}
    assert (await control.post("/control/secrets/queue", json=enrolled)).is_success
    done = await asyncio.to_thread(rotated, suite, application_id)
    assert (done.returncode, done.stderr) == (0, "")
    assert "The new client secret is stored" in done.stdout
    await until(sqs, queue, 0)


def rotated(suite: Suite, application_id: str) -> "subprocess.CompletedProcess[str]":
    files = suite.files("operator")
    environment = {
        "PATH": os.environ["PATH"],
        "SELLERGATE_ACCOUNT_TARGET": suite.target("account"),
        "SELLERGATE_GATEWAY_TARGET": suite.target("gateway"),
        "SELLERGATE_TLS_CA_FILE": str(files.ca),
        "SELLERGATE_TLS_CERT_FILE": str(files.certificate),
        "SELLERGATE_TLS_KEY_FILE": str(files.key),
    }
    return run("sellergate_cli", ["secrets", "rotate", application_id, "--wait", "20"], environment)
