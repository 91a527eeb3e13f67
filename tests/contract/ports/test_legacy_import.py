"""Imports into real databases: a dry run and the run report the same, and no bad row ends an import."""

from datetime import UTC, datetime

import pytest
from pydantic import SecretStr
from sellergate_account.accounts import Connection
from sellergate_account.admin.legacy_import import Import, Row
from sellergate_account.applications import LwaClient
from sellergate_account.model import Origin
from sellergate_account.storage.database import Database
from sellergate_account.storage.store import SqlStore
from sellergate_common.errors import InvalidRequest

from tests.contract.ports.test_account_store import INDEX_KEY, RING, database
from tests.fakes.account import Domain

__all__ = ["database"]


def row(number: int, secret: str, client: str = "client-1", create_time: datetime | None = None) -> Row:
    lwa = LwaClient(SecretStr(client), SecretStr(secret))
    connection = Connection("u1", f"SELLER{number}", "US", client=lwa, refresh_token=SecretStr(f"Atzr|{number}"))
    return Row(connection, Origin(f"a{number}", create_time=create_time))


def importing(database: Database, *, dry_run: bool) -> Import:
    store = SqlStore(database, RING, INDEX_KEY)
    domain = Domain(store)
    return Import(store, domain.accounts, domain.applications, dry_run=dry_run)


async def test_a_dry_run_reports_an_older_secret_of_the_same_import(database: Database) -> None:
    first = [row(1, "new"), row(2, "old"), row(3, "new"), row(4, "other", client="client-2")]
    then = [*first, row(5, "old"), row(6, "new"), row(7, "third", client="client-2")]
    for rows, warned in ((first, [2]), (then, [5, 7])):
        warnings = []
        for dry_run in (True, False):
            run = importing(database, dry_run=dry_run)
            warnings.append([await run.import_row(one) for one in rows])
        assert [(taken.outcome, str(taken.warning)) for taken in warnings[0]] == [
            (taken.outcome, str(taken.warning)) for taken in warnings[1]
        ]
        assert [rows[n].origin.account_id for n, taken in enumerate(warnings[0]) if taken.warning] == [
            f"a{n}" for n in warned
        ]


async def test_a_time_at_the_end_of_the_calendar_is_a_refusal_of_that_row(database: Database) -> None:
    for dry_run in (True, False):
        with pytest.raises(InvalidRequest) as refused:
            late = row(1, "new", create_time=datetime(9999, 12, 31, tzinfo=UTC))
            await importing(database, dry_run=dry_run).import_row(late)
        assert [violation.field for violation in refused.value.violations] == ["create_time"]
