"""`sellergate audit` with a real account service, whose database is changed by hand."""

import json
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sellergate.account.v1.account_service_pb2 import UpsertAccountRequest
from sellergate_client import Sellergate
from sellergate_devstack.suite import Suite

from tests.e2e.operators import Operator, running_account


@pytest.fixture(scope="module")
async def account(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Suite]:
    async with running_account(tmp_path_factory.mktemp("audit")) as suite:
        yield suite


@pytest.fixture(scope="module")
async def account_id(account: Suite) -> str:
    async with Sellergate.connect("127.0.0.1:1", account.target("account"), account.identity("operator")) as client:
        request = UpsertAccountRequest(
            user_id="[red]u1",
            amazon_seller_id="A1B2C3D4E5F6G7",
            marketplace="US",
            lwa_client_id="amzn1.application-oa2-client.1",
            lwa_client_secret="amzn1.oa2-cs.v1.1",
            refresh_token="Atzr|1",
        )
        made, _ = await client.accounts.upsert(request)
        for region in ("eu-west-1", "eu-west-2"):
            request.region = region
            await client.accounts.upsert(request)
        return made.account_id


def test_events_are_listed_as_a_table_and_as_json(account: Suite, account_id: str) -> None:
    operator = Operator(account)
    table = operator.types("audit", "list", account_id)
    assert table.returncode == 0, table.stderr
    lines = table.stdout.splitlines()
    assert lines[0].split()[:3] == ["sequence", "create_time", "action"]
    assert [line.split()[2] for line in lines[1:]] == ["account.updated", "account.updated", "account.created"]
    assert "operator" in lines[1]
    newest = operator.types("audit", "list", account_id, "--limit", "2", "--json")
    assert [json.loads(line)["sequence"] for line in newest.stdout.splitlines()] == ["3", "2"]
    assert "the newest 2 events" in newest.stderr
    first = operator.types("audit", "list", account_id, "--limit", "2", "--json", "--oldest-first")
    assert [json.loads(line)["action"] for line in first.stdout.splitlines()] == ["account.created", "account.updated"]
    assert "the oldest 2 events" in first.stderr
    middle = json.loads(newest.stdout.splitlines()[1])["create_time"]
    since = operator.types("audit", "list", account_id, "--json", "--since", f"{middle[:19]}Z")
    assert {"3", "2"} <= {json.loads(line)["sequence"] for line in since.stdout.splitlines()}
    assert operator.types("audit", "list", account_id, "--json", "--since", "2100-01-01").stdout == ""
    everything = operator.types("audit", "list", "--limit", "0", "--json")
    assert f"account/{account_id}" in [json.loads(line).get("subject") for line in everything.stdout.splitlines()]
    assert everything.stderr == ""


def test_an_unknown_account_and_a_forbidden_caller_are_reported_in_one_sentence(account: Suite) -> None:
    for command in (["audit", "list", "nobody"], ["audit", "verify", "nobody"]):
        done = Operator(account).types(*command)
        assert done.returncode == 1
        assert done.stderr == "There is no such account; check the account id. (ACCOUNT_NOT_FOUND)\n"
    denied = Operator(account, "client/demo").types("audit", "list")
    assert denied.returncode == 1
    assert denied.stderr.endswith("(CALLER_NOT_ALLOWED)\n")
    unreachable = Operator(account).types("audit", "list", SELLERGATE_ACCOUNT_TARGET="127.0.0.1:1")
    assert unreachable.returncode == 1
    assert unreachable.stderr.endswith("(DEPENDENCY_UNAVAILABLE)\n")
    assert len(unreachable.stderr.splitlines()) == 1


def test_a_local_run_is_found_by_its_state_directory(account: Suite, account_id: str, tmp_path: Path) -> None:
    operator, bare = Operator(account), Operator(account)
    files = account.files("operator")
    run = {
        "account": account.target("account"),
        "gateway": account.target("gateway"),
        "token": account.target("token"),
        "ca_file": str(files.ca),
        "client_cert_file": str(files.certificate),
        "client_key_file": str(files.key),
    }
    (tmp_path / "run.json").write_text(json.dumps(run))
    for name in [name for name in bare.environment if name.startswith("SELLERGATE_")]:
        del bare.environment[name]
    assert bare.types("audit", "verify", "--state-dir", str(tmp_path)).returncode == 0
    assert bare.types("audit", "verify", SELLERGATE_STATE_DIR=str(tmp_path)).returncode == 0
    elsewhere = operator.types("audit", "verify", "--state-dir", str(tmp_path), SELLERGATE_ACCOUNT_TARGET="127.0.0.1:1")
    assert elsewhere.returncode == 0
    none = bare.types("audit", "verify", SELLERGATE_STATE_DIR=str(tmp_path / "none"))
    assert none.returncode == 1
    assert "SELLERGATE_ACCOUNT_TARGET" in none.stderr
    (tmp_path / "run.json").write_text("[]")
    assert bare.types("audit", "verify", "--state-dir", str(tmp_path)).returncode == 1
    half = bare.types("audit", "verify", SELLERGATE_ACCOUNT_TARGET=account.target("account"))
    assert half.returncode == 1
    assert {line.partition(":")[0] for line in half.stderr.splitlines()} == {
        f"SELLERGATE_TLS_{kind}_FILE" for kind in ("CA", "CERT", "KEY")
    }


async def test_a_row_that_was_changed_is_a_fault_and_exit_code_1(account: Suite, account_id: str) -> None:
    operator, database = Operator(account), account.plan.state.folder / "account.sqlite"
    good = operator.types("audit", "verify")
    assert good.returncode == 0, good.stderr
    assert "no faults" in good.stdout
    assert "3 events of account" in operator.types("audit", "verify", account_id).stdout
    with sqlite3.connect(database) as rows:
        rows.execute("UPDATE audit_events SET caller = 'another' WHERE chain = ? AND sequence = 2", [account_id])
    rows.close()
    bad = operator.types("audit", "verify")
    assert bad.returncode == 1
    assert f"account {account_id}: event 2 was changed, or an event before it was" in bad.stdout.splitlines()
    assert bad.stdout.splitlines()[-1].endswith("faults: 1.")
    assert operator.types("audit", "verify", account_id).returncode == 1


async def test_changes_of_a_thief_are_refused_and_found(account: Suite, account_id: str) -> None:
    operator, folder = Operator(account), account.plan.state.folder
    logs, database = folder / "logs" / "account.log", folder / "account.sqlite"
    kept = operator.types("audit", "verify", account_id, "--anchors", str(logs))
    assert "events logged in" in kept.stdout
    assert "was logged" not in kept.stdout
    nothing = folder / "nothing.log"
    nothing.write_text("{}\n")
    assert "contains no audit event" in operator.types("audit", "verify", "--anchors", str(nothing)).stderr
    nothing.write_text('{"event":"audit_anchor","chain"\n')
    assert "line 1" in operator.types("audit", "verify", "--anchors", str(nothing)).stderr
    with sqlite3.connect(database) as rows:
        rows.execute("UPDATE accounts SET user_id = 'thief' WHERE account_id = ?", [account_id])
        rows.execute("DELETE FROM audit_events WHERE chain = ? AND sequence = 3", [account_id])
    rows.close()
    shown = operator.types("accounts", "show", account_id)
    assert shown.returncode == 1
    assert shown.stderr.endswith("(ROW_NOT_AUTHENTIC)\n")
    found = operator.types("audit", "verify", "--anchors", str(logs))
    assert found.returncode == 1
    assert f"row accounts/{account_id}: it was not written by this service with its keys" in found.stdout.splitlines()
    assert f"account {account_id}: event 3 was logged and is missing in the database" in found.stdout.splitlines()
