"""`sellergate secrets` against the running suite."""

import json
import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp
from sellergate.account.v1 import account_pb2, account_service_pb2
from sellergate.account.v1.account_service_pb2_grpc import AccountServiceStub
from sellergate_common.rpc.channel import invoke, open_channel
from sellergate_devstack.suite import Suite

from tests.e2e.conftest import Rest
from tests.e2e.forked import run
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
    return run("sellergate_cli", ["secrets", "list", *arguments], environment)


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
    assert line.split()[1] == "unknown", "no request set the end of the secret"
    assert account_id not in listed(suite, "--days", "19").stdout


async def test_a_forbidden_caller_is_refused_in_one_line(suite: Suite) -> None:
    done = listed(suite, name="client/demo")
    assert done.returncode == 1
    assert done.stderr.endswith("(CALLER_NOT_ALLOWED)\n")
    assert len(done.stderr.splitlines()) == 1


async def test_a_local_run_is_found_by_its_state_directory(rest: Rest, seller: Seller, tmp_path: Path) -> None:
    account_id = await rest.connect(seller)
    end = {"authorizationExpireTime": (datetime.now(UTC) + timedelta(days=300)).isoformat()}
    changed = await rest.request("PATCH", f"/api/amazon/accounts/{account_id}", json=end)
    assert changed.status_code == 200, changed.text
    suite, files = rest.suite, rest.suite.files("operator")
    found = {
        **{name: suite.target(name) for name in ("account", "gateway", "token")},
        "ca_file": str(files.ca),
        "client_cert_file": str(files.certificate),
        "client_key_file": str(files.key),
    }
    (tmp_path / "run.json").write_text(json.dumps(found))
    for words, environment in (((), {"SELLERGATE_STATE_DIR": str(tmp_path)}), (("--state-dir", str(tmp_path)), {})):
        path = {"PATH": os.environ["PATH"]}
        done = run("sellergate_cli", ["secrets", "list", "--days", "400", *words], path | environment)
        assert done.returncode == 0, done.stderr
        assert seller.seller_id in done.stdout
