"""The last release without references and labels of accounts, and one of today's, on one PostgreSQL."""

import signal
import sys
from pathlib import Path

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from sellergate.account.v1 import account_pb2
from sellergate.account.v1 import account_service_pb2 as accounts
from sellergate.account.v1.account_service_pb2_grpc import AccountServiceStub
from sellergate_common.errors import InvalidRequest
from sellergate_devstack.processes.ports import LOOPBACK, free_ports
from sellergate_devstack.processes.probes import grpc_serves
from sellergate_devstack.processes.supervisor import Process

from tests.e2e.operators import Operator
from tests.system.conftest import Need
from tests.system.test_rolling_row_macs import Replica, older_code, on_postgres

LAST_WITHOUT = "4c0fd61990cf6c7fe0b6f3c0bb3ee9dc95f5ff66"
"""The last commit whose account service has no references and labels."""


async def name(replica: Replica, account_id: str, external_ref: str, **labels: str) -> account_pb2.Account:
    named = account_pb2.Account(account_id=account_id, external_ref=external_ref, labels=labels)
    request = accounts.UpdateAccountRequest(account=named, update_mask=FieldMask(paths=["external_ref", "labels"]))
    found: account_pb2.Account = (await replica.call(AccountServiceStub, "UpdateAccount", request)).account
    return found


async def get(replica: Replica, account_id: str) -> account_pb2.Account:
    request = accounts.GetAccountRequest(account_id=account_id)
    found: account_pb2.Account = (await replica.call(AccountServiceStub, "GetAccount", request)).account
    return found


@pytest.mark.timeout(300)
async def test_the_release_before_reads_and_changes_accounts_that_have_names(
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
        assert (await get(newer, second)).external_ref == ""
        await name(newer, first, "4711", tier="gold")
        for region in ("eu-west-1", "us-west-2"):
            await older.move(first, region)
            found = await get(newer, first)
            assert (found.region, found.external_ref, dict(found.labels)) == (region, "4711", {"tier": "gold"})
        assert await older.connect(application, "SELLER1", "Atzr|3") == first
        assert await newer.reads(first) == ("us-west-2", "Atzr|3")
        with pytest.raises(InvalidRequest, match=first):
            await name(newer, second, "4711")
        wanted = accounts.ListAccountsRequest(
            filter=accounts.AccountFilter(external_ref="4711", labels={"tier": "gold"})
        )
        listed = await newer.call(AccountServiceStub, "ListAccounts", wanted)
        assert [one.account_id for one in listed.accounts] == [first]
        before.send(signal.SIGTERM)
        verified = Operator(suite).types("audit", "verify")
        assert verified.returncode == 0, verified.stdout
