"""Imports of hundreds and thousands of accounts, too long for every run; shorter ones are in tests/e2e/test_import_legacy.py."""

from pathlib import Path

import pytest

from tests.e2e.legacy_system import LegacySystem
from tests.e2e.operators import Operator, running_account
from tests.e2e.test_import_legacy import accounts, counted, import_all, import_with_interruptions, options


@pytest.mark.timeout(600)
async def test_five_thousand_rows_are_all_accounted_for_twice(tmp_path: Path) -> None:
    system = LegacySystem(300)
    for _ in range(5000 - 38):
        system.add()
    good = len(system.rows)
    broken = [*system.add_broken(), *system.add_broken_in_sqlite()]
    assert len(system.rows) == 5000
    command, key = options(system, system.write_sqlite(tmp_path / "former.db"))
    async with running_account(tmp_path / "state") as service:
        done = Operator(service).types(*command, "--yes", seconds=500, **key)
        assert done.returncode == 3, done.stderr
        assert counted(done.stdout) == [[good, 0, len(broken), 300]] * 2
        stored = await accounts(service)
        assert len(stored) == good
        again = Operator(service).types(*command, "--yes", **key)
        assert counted(again.stdout)[0][:3] == [0, good, len(broken)]
        assert await accounts(service) == stored
        assert Operator(service).types("audit", "verify").returncode == 0


@pytest.mark.timeout(150)
async def test_every_row_is_imported_or_refused_with_a_reason_and_no_secret_is_shown(tmp_path: Path) -> None:
    async with running_account(tmp_path / "state") as service:
        await import_all(400, 100, service, tmp_path)


@pytest.mark.timeout(150)
async def test_an_import_that_is_killed_or_cut_off_is_resumed_by_the_same_command(tmp_path: Path) -> None:
    async with running_account(tmp_path / "state") as service:
        await import_with_interruptions(250, 20, 100, service, tmp_path)
