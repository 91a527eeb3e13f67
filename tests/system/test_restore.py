"""Lost database and keys are restored from their backups by docs/runbook.md, and sellers' calls work."""

import asyncio
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from sellergate_devstack.servers.postgres import PostgresServer
from sellergate_devstack.settings import DevstackSettings
from sellergate_devstack.suite import running_suite

from tests.e2e.conftest import Rest, ephemeral_ports
from tests.e2e.operators import Operator
from tests.e2e.sellers import Seller
from tests.paths import ROOT

# The keys, and the command that creates each.
KEYS: dict[str, tuple[str, ...]] = {"sealing": (), "index": ("--single",), "audit": ("--single",)}
CALL = "/api/amazon/accounts/{}/sp-api/sellers/v1/marketplaceParticipations"
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text()


def typed(postgres: PostgresServer, program: str, url: str, file: Path) -> None:
    """Run the runbook's line with this program."""
    (line,) = re.findall(rf"^{program} .*$", RUNBOOK, re.MULTILINE)
    environment = {**os.environ, "DATABASE_URL": url.replace("+psycopg", "")}
    command = f"{postgres.binaries}/{line.replace('sellergate.dump', str(file))}"
    done = subprocess.run(command, shell=True, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


async def restarted_with(rest: Rest, url: str, keys: dict[str, bytes]) -> None:
    """Restart the only account service on a database and with keys; wait until other services reach it."""
    suite = rest.suite
    for name, key in keys.items():
        suite.plan.state.key_file(name).write_bytes(key)
    suite.supervisor.processes["account"].environment["DATABASE_URL"] = url
    await suite.restart("account")
    for _ in range(50):
        if (await rest.request("GET", "/api/amazon/accounts")).status_code == 200:
            return
        await asyncio.sleep(0.1)
    pytest.fail("the edge did not find the account service again")


@pytest.mark.timeout(120)
async def test_a_database_and_its_keys_come_back_from_their_backups(
    postgres: PostgresServer, postgres_url_of: Callable[[], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost, fresh, dump = postgres_url_of(), postgres_url_of(), tmp_path / "sellergate.dump"
    monkeypatch.setenv("DATABASE_URL", lost)
    settings = DevstackSettings(state_dir=tmp_path / "s", simulator="on", **ephemeral_ports())
    async with (
        running_suite(settings, lambda _: None) as suite,
        httpx.AsyncClient(base_url=suite.simulator or "", timeout=10, trust_env=False) as control,
        httpx.AsyncClient(base_url=suite.edge, timeout=30, trust_env=False) as http,
    ):
        rest, operator = Rest(suite, http), Operator(suite)
        operator.environment["SELLERGATE_TOKEN_TARGET"] = suite.target("token")
        kept = await rest.connect(await Seller.seeded(control))
        assert (await rest.request("GET", CALL.format(kept))).status_code == 200
        # The backup: the database, and apart from it the keys.
        typed(postgres, "pg_dump", lost, dump)
        keys = {name: suite.plan.state.key_file(name).read_bytes() for name in KEYS}
        forgotten = await rest.connect(await Seller.seeded(control))
        # Both are lost: an empty database, and new keys.
        other = {name: operator.types("keys", "new", *single).stdout.encode() for name, single in KEYS.items()}
        await restarted_with(rest, fresh, other)
        assert operator.types("tokens", "clear", "--yes").returncode == 0
        assert (await rest.request("GET", f"/api/amazon/accounts/{kept}")).status_code == 404
        await restarted_with(rest, lost, keys)  # closes the connections to the database to be restored
        typed(postgres, "pg_restore", fresh, dump)
        # With other keys the service decrypts nothing, reports it, and changes nothing.
        await restarted_with(rest, fresh, other)
        for path in (f"/api/amazon/accounts/{kept}", CALL.format(kept)):
            refused = await rest.request("GET", path)
            assert refused.json()["reason"] == "ROW_NOT_AUTHENTIC", refused.text
        assert operator.types("audit", "verify").returncode == 1
        # With its keys everything of the backup works.
        await restarted_with(rest, fresh, keys)
        assert operator.types("tokens", "clear", "--yes").returncode == 0
        assert operator.types("audit", "verify").returncode == 0
        response = await rest.request("GET", CALL.format(kept))
        assert response.status_code == 200, response.text
        assert (await rest.request("GET", CALL.format(forgotten))).json()["reason"] == "ACCOUNT_NOT_FOUND"
