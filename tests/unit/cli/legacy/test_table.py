"""The order in which a table is read, which makes the import keep the valid secret."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretBytes, SecretStr
from sellergate_account.admin.legacy_import import Import
from sellergate_account.rpc.admin_messages import to_row
from sellergate_cli.legacy.ciphers import LegacyCipher
from sellergate_cli.legacy.naming import Naming, snake
from sellergate_cli.legacy.rows import COLUMNS, Choices, read_row, to_request
from sellergate_cli.legacy.table import LegacyTable, open_table
from sellergate_common.errors import InvalidRequest

from tests.fakes.legacy import WRITERS, sealed
from tests.unit.account.test_accounts import World

KEY = b"k" * 32
START = datetime(2024, 1, 1, tzinfo=UTC)
Given = tuple[bool, int, int, int]
"""The state of a row, the day of its last change, its user and the form of its time."""


def values(number: int, row: Given) -> dict[str, Any]:
    active, day, user, form = row
    time = START + timedelta(days=day)
    write = WRITERS[0][1]
    milliseconds = int(time.timestamp() * 1000)
    return {
        "id": f"a{number}",
        "userId": f"u{user}",
        "amazonSellerId": f"SELLER{number}",
        "marketplace": "US",
        "lwaClientId": write(*sealed(KEY, "amzn1.client")),
        "lwaClientSecret": write(*sealed(KEY, f"secret-{number}")),
        "refreshToken": write(*sealed(KEY, "Atzr|1")),
        "iamRoleArn": None,
        "marketplaceIds": "A1PA6795UKMFR9, ATVPDKIKX0DER",
        "region": None,
        "isActive": (active, str(active).lower())[form % 2],
        "createdAt": milliseconds,
        "updatedAt": (milliseconds, str(milliseconds), time.isoformat(), float(milliseconds))[form],
    }


@contextmanager
def table_of(rows: list[Given]) -> Iterator[LegacyTable]:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "former.db"
        with closing(sqlite3.connect(file)) as database, database:
            names = ", ".join(f'"{snake(name)}"' for name in COLUMNS)
            database.execute(f"CREATE TABLE amazon_accounts ({names})")
            for number, row in enumerate(rows):
                found = values(number, row)
                marks = ", ".join("?" * len(COLUMNS))
                database.execute(f"INSERT INTO amazon_accounts VALUES ({marks})", [found[name] for name in COLUMNS])
        with open_table(SecretStr(f"sqlite:///{file}"), Naming()) as table:
            yield table


ROWS = st.lists(
    st.tuples(st.booleans(), st.integers(0, 300), st.integers(1, 2), st.integers(0, 3)),
    min_size=2,
    max_size=6,
    unique_by=lambda row: row[1],
)


@settings(max_examples=40, deadline=None)
@given(ROWS)
async def test_the_living_secret_is_stored_whatever_the_order_activity_and_age_of_rows(rows: list[Given]) -> None:
    world, refused = World(), 0
    importing = Import(world.store, world.accounts, world.applications, dry_run=False)
    with table_of(rows) as table:
        read = [read_row(row, LegacyCipher(SecretBytes(KEY)), world.time) for row in table.rows()]
    order = [(one.user_id, one.inactive, -one.update_time.timestamp()) for one in read]
    assert order == sorted(order)
    for account in read:
        try:
            await importing.import_row(to_row(to_request(account, Choices(own_applications=True))))
        except InvalidRequest as third:
            assert "third secret" in third.message  # noqa: PT017
            refused += 1
    stored = {app.owner_user_id: secrets for app, secrets in world.store.work.applications.rows.values()}
    for user, found in groupby(read, key=lambda one: one.user_id):
        best, *others = found
        assert stored[user].client_secret == best.lwa_client_secret
        assert stored[user].previous_client_secret == (others[0].lwa_client_secret if others else None)
        refused -= max(0, len(others) - 1)
    assert refused == 0
