"""A PostgreSQL server that can be killed and started again with its data."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sellergate_devstack.servers.postgres import postgres_programs

from tests.system.postgres_pair import DATABASE, Server


class Database:
    """The server. `port` is its own, without a relay."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.port = server.port

    def url(self, port: int) -> str:
        """Return the URL by which a service reaches the database through a relay's port."""
        return f"postgresql+psycopg://postgres@127.0.0.1:{port}/{DATABASE}"

    def ask(self, query: str) -> Any:
        """Run a query and return its first value."""
        return self._server.ask(query)

    def restart(self) -> None:
        """Kill the server, and start it again with its data."""
        self._server.kill()
        self._server.start()

    def disconnect(self) -> None:
        """End every connection of a client, as an administrator does."""
        self.ask(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid()"
        )

    def idle_in_transaction(self) -> int:
        """Return how many connections hold an open transaction."""
        return int(
            self.ask(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND pid <> pg_backend_pid() AND xact_start IS NOT NULL"
            )
        )


@contextmanager
def database() -> Iterator[Database]:
    """Run a server in a temporary folder. Raises FileNotFoundError where PostgreSQL is missing."""
    with postgres_programs() as programs:
        server = Server(programs.make_data(), programs)
        try:
            server.start()
            server.ask(f"CREATE DATABASE {DATABASE}", database="postgres")
            yield Database(server)
        finally:
            server.kill()
