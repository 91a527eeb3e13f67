"""The last release without the time of an account's verification, and one of today's, on one PostgreSQL."""

import signal
import sys
from pathlib import Path

import pytest
from sellergate.account.v1 import account_pb2
from sellergate.account.v1 import account_secrets_service_pb2 as secrets
from sellergate.account.v1.account_secrets_service_pb2_grpc import AccountSecretsServiceStub
from sellergate_devstack.processes.ports import LOOPBACK, free_ports
from sellergate_devstack.processes.probes import grpc_serves
from sellergate_devstack.processes.supervisor import Process

from tests.e2e.operators import Operator
from tests.system.conftest import Need
from tests.system.test_rolling_names import get, name
from tests.system.test_rolling_row_macs import Replica, older_code, on_postgres

LAST_WITHOUT = "aeb2486059a41ec00b01fa00f4a081e1ec4cbf9e"
"""The last commit whose account service has no time of verification; it has references and labels."""
CONSENT = account_pb2.VERIFICATION_METHOD_CONSENT


async def accept(replica: Replica, account_id: str) -> account_pb2.Account:
    """Record that Amazon accepted an account's refresh token by the seller's consent."""
    revision = (await get(replica, account_id)).revision
    request = secrets.RestoreAuthorizationRequest(account_id=account_id, expected_revision=revision, method=CONSENT)
    changed = await replica.call(AccountSecretsServiceStub, "RestoreAuthorization", request, "token")
    found: account_pb2.Account = changed.account
    return found


@pytest.mark.timeout(300)
async def test_the_release_before_reads_and_changes_accounts_that_were_verified(
    tmp_path: Path, postgres_url: str, need: Need
) -> None:
    path = older_code(tmp_path / "older", need, LAST_WITHOUT)
    async with on_postgres(tmp_path / "state", postgres_url) as (suite, account, supervisor):
        account.environment["SELLERGATE_ROW_MACS"] = "require"
        (port,) = free_ports(1)
        target = f"{LOOPBACK}:{port}"
        environment = {**account.environment, "SELLERGATE_ACCOUNT_PORT": str(port), "PYTHONPATH": path}
        command, log = [sys.executable, "-m", "sellergate_account"], tmp_path / "older.log"
        before = Process("older", command, environment, log, grpc_serves(target, "account", suite.identity("operator")))
        older, newer = Replica(suite, target), Replica(suite, suite.target("account"))
        await supervisor.start(before)
        application = await older.create_application()
        first = await older.connect(application, "SELLER1", "Atzr|1")
        await supervisor.start(account)

        second = await older.connect(application, "SELLER2", "Atzr|2")
        for account_id in (first, second):
            assert not (await get(newer, account_id)).HasField("verified_time")
        assert not (await accept(older, first)).HasField("verified_time"), "it refuses nothing and records nothing"
        assert (await accept(newer, first)).verification_method == CONSENT
        await name(older, first, "4711", tier="gold")
        for region in ("eu-west-1", "us-west-2"):
            await older.move(first, region)
            found = await get(newer, first)
            assert (found.region, found.external_ref) == (region, "4711")
            assert found.HasField("verified_time")
        assert await older.reads(first) == ("us-west-2", "Atzr|1")
        assert await newer.connect(application, "SELLER1", "Atzr|3") == first
        assert not (await get(newer, first)).HasField("verified_time"), "Amazon has not accepted the new token"
        assert await older.reads(first) == ("us-west-2", "Atzr|3")
        before.send(signal.SIGTERM)
        verified = Operator(suite).types("audit", "verify")
        assert verified.returncode == 0, verified.stdout
