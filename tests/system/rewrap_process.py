"""A process that re-encrypts every secret and prints the count after each batch; the test kills it in the middle.

Arguments: the database's URL, the key ring, rows in a batch.
"""

import asyncio
import sys

import structlog
from sellergate_account.admin.rewrap import rewrap
from sellergate_account.storage.database import open_database
from sellergate_account.storage.rewrapper import SqlRewrapper
from sellergate_account.storage.store import SqlStore
from sellergate_common.crypto.sealing import KeyRing

from tests.fakes.account import Domain


async def run(url: str, keys: str, size: int) -> None:
    ring = KeyRing.parse(keys)
    # Lines of audit anchors would stand between the counts.
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    async with open_database(url) as database:
        store = SqlStore(database, ring, b"x" * 32)
        async for step in rewrap(store, SqlRewrapper(database, ring), Domain(store).audit, size):
            print(step.rewrapped, flush=True)  # for the test that kills this process


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], sys.argv[2], int(sys.argv[3])))
