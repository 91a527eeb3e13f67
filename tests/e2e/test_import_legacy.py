"""`sellergate import-legacy` with a real account service: former systems in SQLite and PostgreSQL, whole and broken."""

import asyncio
import base64
import json
import secrets
import signal
import sqlite3
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sellergate.account.v1.account_pb2 import Account, AccountState
from sellergate.account.v1.account_service_pb2 import ListAccountsRequest
from sellergate.account.v1.application_pb2 import Application
from sellergate.account.v1.application_service_pb2 import CreateApplicationRequest
from sellergate_cli.legacy.layouts import Layout
from sellergate_client import Sellergate
from sellergate_devstack.suite import Suite

from tests.e2e.legacy_system import MARKETPLACES, ROLE, LegacySystem
from tests.e2e.operators import Operator, running_account
from tests.fakes.legacy import KEYS, WRITERS, sealed


@pytest.fixture(scope="module")
async def service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Suite]:
    async with running_account(tmp_path_factory.mktemp("account")) as suite:
        yield suite


async def accounts(service: Suite) -> dict[str, Account]:
    """Return every stored account by id."""
    found: dict[str, Account] = {}
    request = ListAccountsRequest(page_size=500)
    async with Sellergate.connect("127.0.0.1:1", service.target("account"), service.identity("operator")) as client:
        while True:
            page = await client.accounts.list(request)
            found |= {account.account_id: account for account in page.accounts}
            if not page.next_page_token:
                return found
            request.page_token = page.next_page_token


def counted(output: str) -> list[list[int]]:
    """Return the numbers of created, unchanged and refused rows and of warnings, for each run in the output."""
    names = ("would be created", "created", "unchanged", "refused", "warnings")
    lines = [line.strip().rpartition(" ") for line in output.splitlines()]
    numbers = [int(number) for name, _, number in lines if name.strip() in names]
    return [numbers[start : start + 4] for start in range(0, len(numbers), 4)]


def options(system: LegacySystem, url: str) -> tuple[list[str], dict[str, str]]:
    return ["import-legacy", "--database-url", url], {"SELLERGATE_LEGACY_KEY": system.key.hex()}


async def test_every_row_is_imported_or_refused_with_a_reason_and_no_secret_is_shown(
    service: Suite, tmp_path: Path
) -> None:
    """Import some rows; tests/system/test_import_sizes.py imports four hundred and five thousand."""
    await import_all(40, 10, service, tmp_path)


async def import_all(good: int, users: int, service: Suite, tmp_path: Path) -> None:
    system, operator, report = LegacySystem(users), Operator(service), tmp_path / "report"
    for _ in range(good):
        system.add()
    broken = [*system.add_broken(), *system.add_broken_in_sqlite()]
    total = len(system.rows)
    command, key = options(system, system.write_sqlite(tmp_path / "former.db"))
    predicted = [good, 0, len(broken), users]
    dry = operator.types(*command, "--dry-run", "--report", str(report), **key)
    assert dry.returncode == 3, dry.stderr
    assert counted(dry.stdout) == [predicted]
    assert f"{good} + 0 + {len(broken)} = {total}: every row is accounted for." in dry.stdout
    assert await accounts(service) == {}
    assert "refreshToken: hex(iv):hex(ciphertext)" in dry.stdout
    assert "key: 64 hex digits" in dry.stdout
    lines = [json.loads(line) for line in report.read_text().splitlines()]
    assert {line["dry_run"] for line in lines} == {True}
    assert Counter(line["outcome"] for line in lines) == {"created": good, "refused": len(broken)}
    done = operator.types(*command, "--yes", "--report", str(report), **key)
    assert done.returncode == 3, done.stderr
    assert counted(done.stdout) == [predicted, predicted]
    assert "differs from the dry run" not in done.stderr
    notes = [json.loads(line) for line in report.read_text().splitlines()]
    assert len(notes) == total
    assert {note["dry_run"] for note in notes} == {False}
    refused = [(note["account_id"], note["field"]) for note in notes if note["outcome"] == "refused"]
    assert sorted(refused) == sorted((id_[:200], name) for id_, name in broken)
    warned = {note["account_id"] for note in notes if note["warning"]}
    assert warned == {row["id"] for row in system.rows[:users]}
    stored = await accounts(service)
    assert len(stored) == good
    for row in system.rows[:good]:
        assert_moved(row, stored[row["id"]])
    again = operator.types(*command, "--yes", "--roles-without-external-id", **key)
    assert again.returncode == 3, again.stderr
    assert counted(again.stdout)[0][:3] == [0, good, len(broken)]
    assert "No rows are left to import." in again.stdout
    assert await accounts(service) == stored
    assert operator.types("audit", "verify").returncode == 0
    outputs = [done.stdout, done.stderr, dry.stdout, dry.stderr, again.stdout, again.stderr, report.read_text()]
    outputs += [service.log("account").read_text()]
    outputs += [
        file.read_bytes().decode(errors="replace") for file in service.plan.state.folder.glob("account.sqlite*")
    ]
    assert not [secret for secret in system.all_secrets() for output in outputs if secret in output]
    assert "\x1b" not in done.stdout + done.stderr


def assert_moved(row: dict[str, Any], account: Account) -> None:
    assert (account.user_id, account.amazon_seller_id) == (row["userId"], row["amazonSellerId"])
    assert account.marketplace == row["marketplace"].replace("GB", "UK")
    assert account.region == (row["region"] or "us-east-1")
    assert account.iam_role_arn == (row["iamRoleArn"] or "")
    assert not account.role_without_external_id
    assert list(account.marketplace_ids)[1:] == []
    assert account.state == (
        AccountState.ACCOUNT_STATE_ACTIVE if row["isActive"] else AccountState.ACCOUNT_STATE_INACTIVE
    )
    assert account.create_time.ToDatetime() == row["createdAt"].replace(tzinfo=None)
    assert account.update_time.ToDatetime() == row["updatedAt"].replace(tzinfo=None)


@pytest.mark.timeout(100)
@pytest.mark.parametrize("lists", ["TEXT[]", "JSONB", "JSON"])
async def test_postgres_is_read_with_either_type_of_list(
    service: Suite, postgres_url_of: Callable[[], str], lists: str
) -> None:
    system, operator = LegacySystem(20), Operator(service)
    for _ in range(200 if lists == "TEXT[]" else 60):
        system.add(userId=f"user of {lists}")
    rows = len(system.rows)
    system.add_broken()
    url = postgres_url_of()
    excluded = ('{"US": 1}', "[1]") if lists == "TEXT[]" else ()
    # An id is a primary key there, and therefore unique.
    held = {row["id"]: row for row in reversed(system.rows) if row["marketplaceIds"] not in excluded}
    for row in held.values():
        row["id"] = row["id"].replace("legacy", lists.strip("[]").lower())
    system.write_postgres(url, lists=lists, rows=held.values())
    refused = len(held) - rows
    assert refused >= 25
    before = await accounts(service)
    command, key = options(system, url.replace("postgresql+psycopg", "postgres") + "?schema=public&connection_limit=5")
    done = operator.types(*command, "--roles-without-external-id", typed="y\n", **key)
    assert done.returncode == 3, done.stderr
    runs = counted(done.stdout)
    assert runs[0] == runs[1]
    assert runs[0][:3] == [rows, 0, refused]
    stored = {id_: account for id_, account in (await accounts(service)).items() if id_ not in before}
    assert stored.keys() == {row["id"] for row in system.rows[:rows]}
    assert all(account.role_without_external_id == (account.iam_role_arn == ROLE) for account in stored.values())
    assert {len(account.marketplace_ids) for account in stored.values()} == {1}
    assert not [secret for secret in system.all_secrets() if secret in done.stdout + done.stderr]


async def until_stored(service: Suite, count: int, command: "subprocess.Popen[str]") -> None:
    while len(await accounts(service)) < count:
        assert command.poll() is None, command.communicate()
        await asyncio.sleep(0.05)


@pytest.mark.timeout(100)
async def test_an_import_that_is_killed_or_cut_off_is_resumed_by_the_same_command(
    service: Suite, tmp_path: Path
) -> None:
    await import_with_interruptions(60, 5, 20, service, tmp_path)


async def import_with_interruptions(rows: int, kill_at: int, cut_at: int, service: Suite, tmp_path: Path) -> None:
    """Import rows in three runs: the first is killed, the second loses the account service, the third ends well."""
    system, operator = LegacySystem(30), Operator(service)
    for number in range(rows):
        system.add(id=f"killed-{number}", userId=f"killed-{number % 30}")
    command, key = options(system, system.write_sqlite(tmp_path / "former.db"))
    before = len(await accounts(service))
    with operator.start(*command, "--yes", **key) as killed:
        await until_stored(service, before + kill_at, killed)
        killed.send_signal(signal.SIGKILL)
        killed.communicate()
    with operator.start(*command, "--yes", **key) as cut_off:
        await until_stored(service, before + cut_at, cut_off)
        service.send("account", signal.SIGKILL)
        _, output = await asyncio.to_thread(cut_off.communicate)
    assert cut_off.returncode == 1
    assert "Run the same command again" in output
    assert len(output.splitlines()) == 1
    await service.restart("account")
    there = len(await accounts(service)) - before
    assert cut_at <= there < rows
    done = operator.types(*command, "--yes", **key)
    assert done.returncode == 0, done.stderr
    assert [run[:3] for run in counted(done.stdout)] == [[rows - there, there, 0]] * 2
    assert len(await accounts(service)) == before + rows
    assert operator.types("audit", "verify").returncode == 0


async def test_a_key_is_accepted_in_every_form_and_a_wrong_one_is_reported(service: Suite, tmp_path: Path) -> None:
    raw = base64.b64encode(b"k" + LegacySystem(1).key)[:32]
    system, operator, before = LegacySystem(2, key=raw), Operator(service), await accounts(service)
    for number in range(4):
        system.add(id=f"key-{number}", userId="key")
    url, file = system.write_sqlite(tmp_path / "former.db"), tmp_path / "key"
    command = ["import-legacy", "--database-url", url, "--dry-run"]
    forms = [
        raw.hex(),
        base64.b64encode(raw).decode(),
        base64.urlsafe_b64encode(raw).decode().rstrip("="),
        raw.decode(),
    ]
    for form in forms:
        assert operator.types(*command, SELLERGATE_LEGACY_KEY=form).returncode == 0
    file.write_text(forms[0].upper() + "\n")
    assert operator.types(*command, "--key-file", str(file), SELLERGATE_LEGACY_KEY="wrong").returncode == 0
    assert operator.types(*command, "--key", forms[1]).returncode == 0
    assert operator.types(*command).returncode == 2
    assert counted(operator.types(*command, typed="", SELLERGATE_LEGACY_KEY=forms[3]).stdout)[0][:2] == [4, 0]
    for wrong, words in (("ab" * 32, "probably the wrong one"), (forms[0][:-2], "must be 32 bytes")):
        done = operator.types(*command, SELLERGATE_LEGACY_KEY=wrong)
        assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 1)
        assert words in done.stderr
        assert wrong not in done.stderr
    assert await accounts(service) == before


async def test_an_obstacle_to_the_import_is_reported_in_one_sentence(
    service: Suite, tmp_path: Path, postgres_url: str
) -> None:
    system, operator, before = LegacySystem(2), Operator(service), await accounts(service)
    for number in range(4):
        system.add(id=f"hindered-{number}", userId="hindered")
    url = system.write_sqlite(tmp_path / "former.db")
    (tmp_path / "text.db").write_text("this is no database " * 100)
    with closing(sqlite3.connect(tmp_path / "half.db")) as half:
        half.execute('CREATE TABLE "AmazonAccount" ("id" TEXT, "userId" TEXT, "lwaClientId" TEXT)')
    for given, words in (
        (
            f"sqlite:///{tmp_path / 'half.db'}",
            'The table "AmazonAccount" lacks the columns amazonSellerId, createdAt, ',
        ),
        (f"sqlite:///{tmp_path / 'none.db'}", "Cannot read the former database"),
        (f"sqlite:///{tmp_path / 'text.db'}", "Cannot read the former database"),
        ("mysql://root:hidden@127.0.0.1/x", "must be postgresql://"),
        ("rubbish hidden", "must be postgresql://"),
        ("postgresql://root:hidden@127.0.0.1:1/x", "Cannot read the former database"),
        (postgres_url, 'no table "AmazonAccount" or "amazon_accounts"'),
    ):
        command, key = options(system, given)
        done = operator.types(*command, "--yes", **key)
        assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 1), done.stderr
        assert words in done.stderr
        assert "hidden" not in done.stderr
    assert not (tmp_path / "none.db").exists()
    command, key = options(system, url)
    declined = operator.types(*command, typed="n\n", **key)
    assert declined.returncode == 1
    assert "Nothing was stored." in declined.stderr
    unreachable = operator.types(*command, "--yes", **key, SELLERGATE_ACCOUNT_TARGET="127.0.0.1:1")
    assert (unreachable.returncode, len(unreachable.stderr.splitlines())) == (1, 1)
    assert "DEPENDENCY_UNAVAILABLE" in unreachable.stderr
    unwritable = operator.types(*command, "--yes", "--report", str(tmp_path / "none" / "report"), **key)
    assert (unwritable.returncode, len(unwritable.stderr.splitlines())) == (1, 1)
    assert await accounts(service) == before


async def test_other_layouts_keys_and_names_are_read_and_accounts_share_the_operators_application(
    service: Suite, tmp_path: Path
) -> None:
    """Every combination, made by Node, is in tests/system/test_legacy_node.py."""
    passphrase, key_from, key = next(given for given in KEYS if given[1] == "scrypt:salt")
    write = next(write for layout, write in WRITERS if layout is Layout.JSON_BASE64)
    system, operator, report = LegacySystem(1, key=key), Operator(service), tmp_path / "report"
    client = f"amzn1.application-oa2-client.{secrets.token_hex(8)}"
    column = lambda text: write(*sealed(key, text))  # noqa: E731
    for number, secret in enumerate(["living", "living", "another"]):
        changed = {"id": f"shared-{number}", "userId": f"shared-{number}", "marketplaceIds": MARKETPLACES["US"]}
        values = {"lwaClientId": column(client), "lwaClientSecret": column(secret), "refreshToken": column("Atzr|x")}
        system.add(**changed, **values)
    file = tmp_path / "former.db"
    system.write_sqlite(file)
    with closing(sqlite3.connect(file)) as database, database:
        database.execute('ALTER TABLE "AmazonAccount" RENAME TO amazon_accounts')
        database.execute('ALTER TABLE amazon_accounts RENAME COLUMN "isActive" TO is_active')
        database.execute('ALTER TABLE amazon_accounts RENAME COLUMN "userId" TO owner')
    command = ["import-legacy", "--database-url", f"file:{file}", "--column", "owner=userId", "--report", str(report)]
    given = {"SELLERGATE_LEGACY_KEY": passphrase}
    async with Sellergate.connect("127.0.0.1:1", service.target("account"), service.identity("operator")) as connected:
        request = CreateApplicationRequest(
            application=Application(name="everyone's"), lwa_client_id=client, lwa_client_secret="living"
        )
        shared = (await connected.applications.create(request)).application_id
    done = operator.types(*command, "--key-from", key_from or "", "--yes", **given)
    assert done.returncode == 3, done.stderr
    assert counted(done.stdout) == [[2, 0, 1, 0]] * 2
    assert (
        "Table amazon_accounts, columns owner as userId, is_active as isActive; key: scrypt of a passphrase"
        in done.stdout
    )
    assert "  refreshToken: JSON of base64\n" in done.stdout
    assert f"  2 accounts would be attached to the shared application {shared}\n" in done.stdout
    assert f"  2 accounts attached to the shared application {shared}\n" in done.stdout
    lines = {line["account_id"]: line for line in map(json.loads, report.read_text().splitlines())}
    assert [lines[f"shared-{n}"]["application_id"] for n in range(3)] == [shared, shared, ""]
    assert "rotate the secret there" in lines["shared-2"]["reason"]
    stored = await accounts(service)
    assert {stored[f"shared-{n}"].application_id for n in range(2)} == {shared}
    own = operator.types(*command, "--key-from", "scrypt:salt", "--own-applications", "--yes", **given)
    assert counted(own.stdout) == [[1, 2, 0, 0]] * 2
    assert (await accounts(service))["shared-2"].application_id != shared
