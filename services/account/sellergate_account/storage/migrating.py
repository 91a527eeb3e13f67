"""Migrates the database to the newest revision, one replica at a time.

`python -m sellergate_account.storage.migrating` does so and exits.
"""

import asyncio
from pathlib import Path

from alembic import command
from alembic.config import Config
from sellergate_common.observability.logs import configure_logging, get_logger
from sellergate_common.settings import load_settings
from sqlalchemy import text
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from sellergate_account.settings import DatabaseSettings
from sellergate_account.storage.database import open_database

HEAD = "head"
BASE = "base"
# Any number will do, as long as nobody else locks it: it says that somebody migrates this database.
_ADVISORY_LOCK = 0x5E11E2


async def migrate(engine: AsyncEngine, revision: str = HEAD) -> None:
    """Upgrade to `revision`, or downgrade with BASE. On PostgreSQL replicas that start together wait for each other."""
    async with engine.begin() as connection:
        await connection.run_sync(_run, revision)


def _run(connection: Connection, revision: str) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _ADVISORY_LOCK})
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    if revision == BASE:
        command.downgrade(config, revision)
    else:
        command.upgrade(config, revision)


async def main(settings: DatabaseSettings) -> None:
    """Upgrade the database of the settings."""
    async with open_database(settings.database) as database:
        await migrate(database.engine)
    get_logger().info("migrated")


if __name__ == "__main__":
    configure_logging("migrate", "info")
    asyncio.run(main(load_settings(DatabaseSettings)))
