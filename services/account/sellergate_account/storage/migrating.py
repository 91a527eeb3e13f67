"""The migration of the database to the newest revision, by one replica at a time, once the database is up.

`python -m sellergate_account.storage.migrating` does so and exits.
"""

import asyncio
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sellergate_common.clock import SYSTEM_CLOCK, Clock
from sellergate_common.errors import Unavailable
from sellergate_common.observability.endings import end_start
from sellergate_common.observability.logs import configure_logging, get_logger
from sellergate_common.settings import load_settings
from sqlalchemy import text
from sqlalchemy.engine import URL, Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from sellergate_account.settings import DatabaseSettings
from sellergate_account.storage.database import open_database

HEAD = "head"
BASE = "base"
ATTEMPT_SECONDS = 10.0
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.25, 5.0
ADVICE = (
    "check the host, port, user, password and database of DATABASE_URL, and that the server runs;"
    " SELLERGATE_DATABASE_WAIT_SECONDS is how long a start waits for it"
)
# The number of the lock that shows that a replica migrates this database; no other program locks it.
_ADVISORY_LOCK = 0x5E11E2


async def migrate(engine: AsyncEngine, revision: str = HEAD) -> None:
    """Upgrade to `revision`, or downgrade with BASE. On PostgreSQL replicas that start together wait for each other.

    A database that a newer release has migrated stays as it is: each revision keeps what the previous release needs.
    Raises SystemExit when the database refuses the migration, and leaves it as it was.
    """
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_run, revision)
    except (DBAPIError, OSError) as error:
        advice = (
            "check that the user of DATABASE_URL may create tables, and that the disk has space; nothing was changed"
        )
        end_start("migration_failed", advice, host=engine.url.host, cause=_cause(error, engine.url))


async def wait_for(engine: AsyncEngine, seconds: float, clock: Clock = SYSTEM_CLOCK) -> None:
    """Wait until the database is up, for at most `seconds`, with one log line. Raises SystemExit when it stays down.

    A connection that would reach another machine without TLS fails at once.
    """
    give_up, pause, is_logged = clock.monotonic() + seconds, FIRST_PAUSE_SECONDS, False
    place = engine.url
    while True:
        try:
            async with asyncio.timeout(ATTEMPT_SECONDS), engine.connect():
                return
        except Unavailable as error:
            # Waiting cannot help: the settings must allow the connection, or name another server.
            raise SystemExit(error.message) from None
        except (DBAPIError, OSError) as error:
            if clock.monotonic() + pause > give_up:
                cause = _cause(error, place)
                end_start(
                    "database_is_down", ADVICE, host=place.host, port=place.port, waited_seconds=seconds, cause=cause
                )
            if not is_logged:
                get_logger().warning("waiting_for_database", host=place.host, port=place.port, at_most_seconds=seconds)
            is_logged = True
            await clock.sleep(pause)
            pause = min(LONGEST_PAUSE_SECONDS, pause * 2)


def _cause(error: Exception, place: URL) -> str:
    """Return the database's own first line about an error, without the password."""
    words = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
    return words.replace(place.password, "***") if place.password else words


def _run(connection: Connection, revision: str) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _ADVISORY_LOCK})
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    if revision == BASE:
        command.downgrade(config, revision)
    elif not _is_newer(connection, config):
        command.upgrade(config, revision)


def _is_newer(connection: Connection, config: Config) -> bool:
    """Return whether a newer release has migrated the database: revisions are numbers, and later ones are greater."""
    stored = MigrationContext.configure(connection).get_current_revision()
    known = ScriptDirectory.from_config(config).get_current_head()
    is_newer = bool(stored and known and stored.isdigit() and int(stored) > int(known))
    if is_newer:
        get_logger().warning("database_is_newer", stored=stored, known=known)
    return is_newer


async def main(settings: DatabaseSettings) -> None:
    """Upgrade the database of the settings."""
    async with open_database(
        settings.database, folder=settings.own_folder, allow_plain=settings.database_allow_plain
    ) as database:
        await wait_for(database.engine, settings.database_wait_seconds)
        await migrate(database.engine)
    get_logger().info("migrated")


if __name__ == "__main__":
    configure_logging("migrate", "info")
    asyncio.run(main(load_settings(DatabaseSettings)))
