"""Brings the database to the newest revision, one replica at a time."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import text
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

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
