"""`sellergate secrets` against the running suite."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp
from sellergate.account.v1 import account_pb2, account_service_pb2
from sellergate.account.v1.account_service_pb2_grpc import AccountServiceStub
from sellergate_common.rpc.channel import invoke, open_channel
from sellergate_devstack.suite import Suite

from tests.e2e.conftest import Rest
from tests.e2e.sellers import Seller


def listed(suite: Suite, *arguments: str, name: str = "operator") -> "subprocess.CompletedProcess[str]":
    files = suite.files(name)
    environment = {
        "PATH": os.environ["PATH"],
        "SELLERGATE_ACCOUNT_TARGET": suite.target("account"),
        "SELLERGATE_TLS_CA_FILE": str(files.ca),
        "SELLERGATE_TLS_CERT_FILE": str(files.certificate),
        "SELLERGATE_TLS_KEY_FILE": str(files.key),
    }
    command = [sys.executable, "-m", "sellergate_cli", "secrets", "list", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)


async def test_ends_are_listed_with_days_left(rest: Rest, seller: Seller) -> None:
    suite, account_id = rest.suite, await rest.connect(seller)
    end = Timestamp()
    end.FromDatetime(datetime.now(UTC) + timedelta(days=20, hours=1))
    request = account_service_pb2.UpdateAccountRequest(
        account=account_pb2.Account(account_id=account_id, authorization_expire_time=end),
        update_mask=FieldMask(paths=["authorization_expire_time"]),
    )
    async with open_channel(suite.target("account"), "account", suite.identity("operator"), []) as channel:
        stub = AccountServiceStub(channel)
        await invoke(stub.UpdateAccount, request, dependency="account")
        get = account_service_pb2.GetAccountRequest(account_id=account_id)
        application_id = (await invoke(stub.GetAccount, get, dependency="account")).account.application_id
    done = listed(suite)
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith(account_id)]
    assert line.split()[1] == "20.0"
    assert seller.seller_id in line
    (line,) = [line for line in done.stdout.splitlines() if line.startswith(application_id)]
    assert line.split()[1] == "unknown", "nobody told when the secret ends"
    assert account_id not in listed(suite, "--days", "19").stdout


async def test_somebody_who_may_not_is_told_so_in_one_line(suite: Suite) -> None:
    done = listed(suite, name="client/demo")
    assert done.returncode == 1
    assert done.stderr.startswith("CALLER_NOT_ALLOWED: ")
    assert len(done.stderr.splitlines()) == 1
