"""The update from the last release without MACs of rows: its replica and one of today's on one PostgreSQL, as the runbook says."""

import asyncio
import io
import signal
import subprocess
import sys
import tarfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from sellergate.account.v1 import account_pb2, application_pb2
from sellergate.account.v1 import account_secrets_service_pb2 as secrets
from sellergate.account.v1 import account_service_pb2 as accounts
from sellergate.account.v1 import application_service_pb2 as applications
from sellergate.account.v1.account_secrets_service_pb2_grpc import AccountSecretsServiceStub
from sellergate.account.v1.account_service_pb2_grpc import AccountServiceStub
from sellergate.account.v1.application_service_pb2_grpc import ApplicationServiceStub
from sellergate_common.errors import Reason, SellergateError
from sellergate_common.rpc.channel import invoke, open_channel
from sellergate_devstack.plan import make_plan
from sellergate_devstack.processes.ports import LOOPBACK, free_ports
from sellergate_devstack.processes.probes import grpc_serves
from sellergate_devstack.processes.supervisor import Process, Supervisor
from sellergate_devstack.settings import DevstackSettings
from sellergate_devstack.state import State
from sellergate_devstack.suite import Suite

from tests.e2e.conftest import ephemeral_ports
from tests.e2e.operators import Operator
from tests.paths import ROOT
from tests.system.conftest import Need

LAST_WITHOUT = "d4b900540b1dc419ac4d9bcdba2bd530c1ed24e4"
"""The last commit whose account service has no MACs of rows."""
_CODE = ("services/account", "libs/common", "libs/amazon")


def older_code(folder: Path, need: Need, commit: str = LAST_WITHOUT) -> str:
    """Unpack an older release's code; return its import path."""
    archive = subprocess.run(["git", "archive", commit, *_CODE], cwd=ROOT, capture_output=True, check=False, timeout=60)
    need(f"the commit {commit[:7]} in the history", archive.returncode == 0)
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
        tar.extractall(folder, filter="data")
    return ":".join(str(folder / one) for one in _CODE)


class Replica:
    """An account service with the calls of an operator and of the token service."""

    def __init__(self, suite: Suite, target: str) -> None:
        self._suite = suite
        self._target = target

    async def call(self, stub: Any, method: str, request: Any, identity: str = "operator") -> Any:
        async with open_channel(self._target, "account", self._suite.identity(identity), []) as channel:
            return await invoke(getattr(stub(channel), method), request, dependency="account")

    async def create_application(self) -> str:
        request = applications.CreateApplicationRequest(
            application=application_pb2.Application(name="one"),
            lwa_client_id="amzn1.application-oa2-client.one",
            lwa_client_secret="amzn1.oa2-cs.v1.one",
        )
        return str((await self.call(ApplicationServiceStub, "CreateApplication", request)).application.application_id)

    async def connect(self, application_id: str, seller: str, token: str) -> str:
        request = accounts.UpsertAccountRequest(
            user_id="u1",
            amazon_seller_id=seller,
            marketplace="US",
            application_id=application_id,
            refresh_token=token,
            idempotency_key=f"0b1c9e1a-1f5e-4d0e-9a55-{seller}-{token[-1]}",
        )
        return str((await self.call(AccountServiceStub, "UpsertAccount", request)).account.account_id)

    async def move(self, account_id: str, region: str) -> None:
        changed = account_pb2.Account(account_id=account_id, region=region)
        request = accounts.UpdateAccountRequest(account=changed, update_mask=FieldMask(paths=["region"]))
        await self.call(AccountServiceStub, "UpdateAccount", request)

    async def reads(self, account_id: str) -> tuple[str, str]:
        """Return an account's region and refresh token."""
        got = await self.call(AccountServiceStub, "GetAccount", accounts.GetAccountRequest(account_id=account_id))
        request = secrets.GetAccountSecretsRequest(account_id=account_id)
        opened = await self.call(AccountSecretsServiceStub, "GetAccountSecrets", request, "token")
        return got.account.region, opened.refresh_token


@asynccontextmanager
async def on_postgres(folder: Path, url: str) -> AsyncIterator[tuple[Suite, Process, Supervisor]]:
    """Run Redis; yield the present account service before its start."""
    settings = DevstackSettings(state_dir=folder, log_level="debug", simulator="on", **ephemeral_ports())
    plan, supervisor = make_plan(settings, State(folder)), Supervisor(lambda _: None)
    try:
        by_name = {process.name: process for process in plan.processes()}
        await supervisor.start(by_name["redis"])
        account = by_name["account"]
        account.environment |= {"DATABASE_URL": url, "SELLERGATE_ROW_MACS": "adopt"}
        yield Suite(plan, supervisor), account, supervisor
    finally:
        await supervisor.stop()


@pytest.mark.timeout(300)
async def test_replicas_with_and_without_macs_read_each_others_rows_until_macs_are_required(
    tmp_path: Path, postgres_url: str, need: Need
) -> None:
    path = older_code(tmp_path / "older", need)
    async with on_postgres(tmp_path / "state", postgres_url) as (suite, account, supervisor):
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
        assert "Traceback" not in log.read_text()

        # Both serve. Each reads and changes the other's rows.
        second = await older.connect(application, "SELLER2", "Atzr|2")
        third = await newer.connect(application, "SELLER3", "Atzr|3")
        everyone = {first: ["", "Atzr|1"], second: ["", "Atzr|2"], third: ["", "Atzr|3"]}
        for account_id, (_, token) in everyone.items():
            for reader in (older, newer):
                assert (await reader.reads(account_id))[1] == token
        for writer, region in ((older, "eu-west-1"), (newer, "us-east-1"), (older, "us-west-2")):
            for account_id in everyone:
                await writer.move(account_id, region)
                for reader in (older, newer):
                    assert (await reader.reads(account_id))[0] == region
        assert await newer.connect(application, "SELLER3", "Atzr|4") == third
        assert (await older.reads(third))[1] == "Atzr|4"
        everyone[third][1] = "Atzr|4"

        # The older replica ends; rows without a valid MAC get one, which is required from then on.
        before.send(signal.SIGTERM)
        assert before.handle is not None
        await asyncio.to_thread(before.handle.wait, 60)
        operator = Operator(suite)
        *faults, _ = operator.types("audit", "verify").stdout.splitlines()
        assert faults, "the rows that the older replica wrote last"
        assert all("written by this service with its keys" in fault for fault in faults), faults
        rewrapped = operator.types("keys", "rewrap")
        assert rewrapped.returncode == 0, rewrapped.stdout + rewrapped.stderr
        account.environment["SELLERGATE_ROW_MACS"] = "require"
        await suite.restart("account")
        for account_id, (_, token) in everyone.items():
            assert await newer.reads(account_id) == ("us-west-2", token)
        assert operator.types("audit", "verify").returncode == 0

        # Rows that an older replica writes now are refused.
        await supervisor.start(before)
        await older.move(first, "eu-west-1")
        with pytest.raises(SellergateError) as caught:
            await newer.reads(first)
        assert caught.value.reason is Reason.ROW_NOT_AUTHENTIC
        assert (await newer.reads(second))[1] == "Atzr|2"
