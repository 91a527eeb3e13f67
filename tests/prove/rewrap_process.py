"""A process that seals every secret anew and tells after each batch how many; it is killed in the middle.

Arguments: the database's URL, the key ring, rows in a batch.
"""

import asyncio
import sys

from sellergate_account.database import open_database
from sellergate_account.rewrapping import rewrap
from sellergate_account.sql_store import SqlStore
from sellergate_account.sql_vault import SqlVault
from sellergate_common.sealing import KeyRing

from tests.fakes.account_domain import Domain


async def run(url: str, keys: str, size: int) -> None:
    ring = KeyRing.parse(keys)
    async with open_database(url) as database:
        store = SqlStore(database, ring, b"x" * 32)
        async for step in rewrap(store, SqlVault(database, ring), Domain(store).audit, size):
            print(step.rewrapped, flush=True)  # whoever kills reads it


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], sys.argv[2], int(sys.argv[3])))
