"""Former databases created by Node, in every layout with every form of key and every naming, imported into the suite."""

import asyncio
import json
import subprocess
from collections.abc import Callable
from itertools import count
from pathlib import Path

import httpx
import pytest
from sellergate.gateway.v1 import call_pb2
from sellergate.gateway.v1.gateway_service_pb2_grpc import GatewayServiceStub
from sellergate_common.rpc.channel import invoke
from sellergate_devstack.suite import Suite

from tests.e2e.operators import Operator
from tests.e2e.sellers import Seller
from tests.e2e.test_import_legacy import counted
from tests.system.conftest import Need
from tests.system.node_databases import GOOD, KEYS, LAYOUTS, NAMINGS, STORES, USERS, Former, encrypted
from tests.system.token_fleet import each

PACKAGE = "better-sqlite3@12"
# Every call is the first of its account: an exchange with LWA, of which the token service makes 64 at once, and often a role.
CALLS_AT_ONCE, CALL_SECONDS = 16, 60.0
IMPORT_SECONDS = 600.0  # on a busy machine
_NUMBERS = count(1)


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Path | None:
    """Return the folder of Node's SQLite package; None where it cannot be installed, and Python writes Node's output."""
    folder = tmp_path_factory.mktemp("npm")
    command = ["npm", "install", "--silent", "--prefix", str(folder), PACKAGE]
    check = ["node", "-e", "new (require('better-sqlite3'))(':memory:')"]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=240)
        subprocess.run(check, check=True, capture_output=True, timeout=30, cwd=folder)
    except (OSError, subprocess.SubprocessError):
        return None
    return folder / "node_modules"


@pytest.fixture(scope="module")
async def sellers(control: httpx.AsyncClient) -> list[Seller]:
    """Return sellers, each of which has authorized the LWA clients of the first ones, which the users have."""
    found = [Seller.made() for _ in range(GOOD + 10)]
    clients = found[:USERS]
    seed = {name: [one.seed()[name][0] for one in clients] for name in ("applications", "roles")}
    seed["sellers"] = [
        {
            "selling_partner_id": seller.seller_id,
            "marketplace_ids": [seller.marketplace_id],
            "refresh_tokens": [
                {"client_id": client.client_id, "refresh_token": f"{seller.refresh_token}{n}"}
                for n, client in enumerate(clients)
            ],
        }
        for seller in found
    ]
    response = await control.post("/control/seed", json=seed, timeout=60)
    assert response.is_success, response.text
    return found


async def check_calls(gateway: GatewayServiceStub, active: dict[str, str]) -> None:
    """Make a call for every account, and check that Amazon attributes it to the account's seller."""

    async def call(account: tuple[str, str]) -> None:
        account_id, seller_id = account
        request = call_pb2.CallRequest(account_id=account_id, operation="sellers/v1/getMarketplaceParticipations")
        response = await invoke(gateway.Call, request, dependency="gateway", seconds=CALL_SECONDS)
        assert response.http_status == 200, (account_id, response.http_status)
        (shop,) = json.loads(response.body)["payload"]
        assert shop["storeName"] == f"Store of {seller_id}", account_id

    await each(active.items(), call, CALLS_AT_ONCE)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("layout", LAYOUTS)
async def test_a_database_of_node_is_imported_and_every_active_account_works(
    need: Need,
    suite: Suite,
    control: httpx.AsyncClient,
    gateway: GatewayServiceStub,
    fast: None,
    sellers: list[Seller],
    modules: Path | None,
    postgres_url_of: Callable[[], str],
    tmp_path: Path,
    layout: str,
) -> None:
    need.program("node")
    first = list(LAYOUTS).index(layout)
    namings, stores = list(NAMINGS), list(STORES)
    formers = [
        Former(
            next(_NUMBERS),
            layout,
            key,
            namings[(first + n) % len(namings)],
            stores[(first + n // 2) % len(stores)],
            sellers,
        )
        for n, key in enumerate(KEYS)
    ]
    files = [tmp_path / f"{former.number}.db" if former.store.startswith("sqlite") else None for former in formers]
    documents = [former.document(file if modules else None) for former, file in zip(formers, files, strict=True)]
    written = encrypted(documents, modules)
    async with asyncio.TaskGroup() as calls:
        for former, file, document, rows in zip(formers, files, documents, written, strict=True):
            if file is None:
                url = postgres_url_of()
                former.write_postgres(url, rows)
                url = url.replace("postgresql+psycopg", "postgresql") + "?schema=public"
            else:
                if rows:
                    former.write_sqlite(file, document, rows)
                url = f"file:{file}"
            await check_import(former, url, suite, tmp_path / "report")
            # While the next database is imported.
            calls.create_task(check_calls(gateway, former.active))


async def check_import(former: Former, url: str, suite: Suite, report: Path) -> None:
    """Import a database twice; check the result and the report, and that the second run changes nothing."""
    operator, broken = Operator(suite), len(former.broken)
    command = ["import-legacy", "--database-url", url, *former.options, "--yes", "--report", str(report)]
    key = {"SELLERGATE_LEGACY_KEY": KEYS[former.key][0]}
    done = await asyncio.to_thread(operator.types, *command, seconds=IMPORT_SECONDS, **key)
    assert done.returncode == 3, (former, done.stdout, done.stderr)
    assert counted(done.stdout) == [[GOOD, 0, broken, USERS]] * 2, done.stdout
    assert f"key: {KEYS[former.key][2]}" in done.stdout
    assert f"Table {former.table}" in done.stdout
    for column in ("lwaClientId", "lwaClientSecret", "refreshToken"):
        assert f"  {column}: {LAYOUTS[former.layout]}\n" in done.stdout
    assert "half migrated: of the sampled values of refreshToken, 1 are plaintext" in done.stdout
    lines = [json.loads(line) for line in report.read_text().splitlines()]
    assert {line["account_id"]: line["field"] for line in lines if line["outcome"] == "refused"} == former.broken
    assert len(lines) == GOOD + broken
    warned = {line["account_id"] for line in lines if line["warning"]}
    assert warned == {f"n{former.number}-{n}" for n in range(0, GOOD, GOOD // USERS)}
    again = await asyncio.to_thread(operator.types, *command, seconds=IMPORT_SECONDS, **key)
    assert counted(again.stdout) == [[0, GOOD, broken, 0]], again.stdout
    assert "No rows are left to import." in again.stdout
    assert len(former.active) == GOOD - USERS
