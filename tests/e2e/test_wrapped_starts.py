"""The account service as a process whose keys are all wrapped by KMS: it serves, or ends with one line that names the cause."""

import base64
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sellergate.account.v1.account_secrets_service_pb2 import GetAccountSecretsRequest
from sellergate.account.v1.account_secrets_service_pb2_grpc import AccountSecretsServiceStub
from sellergate_common.crypto.sealing import parse_key
from sellergate_common.rpc.channel import invoke, open_channel
from sellergate_devstack.processes.ports import LOOPBACK, free_ports
from sellergate_devstack.processes.probes import grpc_serves
from sellergate_devstack.processes.supervisor import Process, Supervisor
from sellergate_devstack.suite import Suite

from tests.contract.amazon.kms_server import KmsServer, running_kms
from tests.e2e.conftest import Rest
from tests.e2e.sellers import Seller
from tests.e2e.test_starts import start

NEW = os.urandom(64)


@pytest.fixture(scope="module")
def kms() -> Iterator[KmsServer]:
    with running_kms() as running:
        yield running


@pytest.fixture
def environment(suite: Suite, kms: KmsServer) -> dict[str, str]:
    """Return the environment of the suite's account process with another port, all keys wrapped, and a new key in front."""
    keys = {name: suite.plan.state.key_file(name).read_text().split() for name in ("sealing", "index", "audit")}
    kid, old = keys["sealing"]
    own = dict(suite.supervisor.processes["account"].environment)
    for variable in ("SELLERGATE_SEALING_KEYS_FILE", "SELLERGATE_INDEX_KEY_FILE", "SELLERGATE_AUDIT_KEY_FILE"):
        del own[variable]
    ring = {"new": NEW, kid: parse_key(old, kid)}
    return {
        **own,
        **kms.environment,
        "SELLERGATE_SEALING_KEYS": "\n".join(
            f"{id_} {kms.wrap(key, 'sealing-keys', id_)}" for id_, key in ring.items()
        ),
        "SELLERGATE_INDEX_KEY": kms.wrap(parse_key(keys["index"][0], "index"), "index-key"),
        "SELLERGATE_AUDIT_KEY": kms.wrap(parse_key(keys["audit"][0], "audit"), "audit-key"),
        "SELLERGATE_ACCOUNT_PORT": str(free_ports(1)[0]),
    }


@pytest.fixture
async def process(suite: Suite, environment: dict[str, str], tmp_path: Path) -> AsyncIterator[Process]:
    target = f"{LOOPBACK}:{environment['SELLERGATE_ACCOUNT_PORT']}"
    healthy = grpc_serves(target, "account", suite.identity("operator"))
    command = [sys.executable, "-m", "sellergate_account"]
    supervisor = Supervisor(lambda _: None)
    process = Process("account", command, environment, tmp_path / "account.log", healthy)
    try:
        await supervisor.start(process)
        yield process
    finally:
        await supervisor.stop()


def hides_keys(text: str) -> bool:
    return not any(shape.decode()[:20] in text for shape in (base64.b64encode(NEW), base64.urlsafe_b64encode(NEW)))


async def test_it_opens_with_wrapped_keys_what_was_sealed_with_plain_ones(
    rest: Rest, seller: Seller, process: Process, environment: dict[str, str]
) -> None:
    account_id = await rest.connect(seller)
    target = f"{LOOPBACK}:{environment['SELLERGATE_ACCOUNT_PORT']}"
    async with open_channel(target, "account", rest.suite.identity("token"), []) as channel:
        request = GetAccountSecretsRequest(account_id=account_id)
        found = await invoke(AccountSecretsServiceStub(channel).GetAccountSecrets, request, dependency="account")
    assert found.refresh_token == seller.refresh_token
    assert found.application.client_secret == seller.client_secret
    log = process.log.read_text()
    assert '"event":"serving"' in log
    assert hides_keys(log)


@pytest.mark.parametrize(
    ("variable", "named"),
    [
        ("SELLERGATE_SEALING_KEYS", "key new (InvalidCiphertextException)"),
        ("SELLERGATE_INDEX_KEY", "the index key ("),
        ("SELLERGATE_AUDIT_KEY", "the audit key ("),
    ],
)
def test_a_key_that_is_wrapped_for_another_use_ends_the_start_in_one_line(
    environment: dict[str, str], kms: KmsServer, variable: str, named: str
) -> None:
    foreign = kms.wrap(NEW, "another-key")
    wrong = f"new {foreign}" if variable == "SELLERGATE_SEALING_KEYS" else foreign
    done = start("account", {**environment, variable: wrong})
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"{variable}: KMS does not open {named}")
    assert foreign[4:24] not in line
    assert hides_keys(line)


def test_a_kms_that_is_down_or_not_allowed_ends_the_start_in_one_line(environment: dict[str, str]) -> None:
    dead = {"AWS_ENDPOINT_URL_KMS": f"http://{LOOPBACK}:{free_ports(1)[0]}"}
    without = {name: value for name, value in environment.items() if not name.endswith("_KEY_ID")}
    for changed, cause in (({**environment, **dead}, "EndpointConnectionError"), (without, "NoCredentialsError")):
        none = {"AWS_SHARED_CREDENTIALS_FILE": "/nowhere", "AWS_CONFIG_FILE": "/nowhere"}
        done = start("account", {**changed, **none})
        assert done.returncode == 2, done.stderr
        (line,) = done.stderr.splitlines()
        assert line.startswith(f"SELLERGATE_SEALING_KEYS: a KMS request failed for key new ({cause}); check AWS_REGION")


def test_boto3_is_loaded_only_where_a_key_is_wrapped() -> None:
    code = "import sys, sellergate_account.__main__; sys.exit(any(name.startswith('boto') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
