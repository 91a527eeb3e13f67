"""A PostgreSQL server that can be killed and started again with its data."""

import os
import pwd
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sellergate_devstack.servers.postgres import find_postgres

from tests.system.postgres_pair import DATABASE, Server

_UNPRIVILEGED = "nobody"
_SECONDS = 120


class Database:
    """The server. `port` is its own, without a relay."""

    def __init__(self, server: Server, binaries: Path) -> None:
        self._server, self._binaries = server, binaries
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
        self._server.start(self._binaries)

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
    with tempfile.TemporaryDirectory(prefix="sellergate-chaos-") as name:
        folder, binaries, become = Path(name), find_postgres(), dict[str, Any]()
        if os.geteuid() == 0:
            user = pwd.getpwnam(_UNPRIVILEGED)
            os.chown(folder, user.pw_uid, user.pw_gid)
            become = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        server = Server(folder, "data", become)
        command = [binaries / "initdb", "-D", server.data, "-U", "postgres", "--auth=trust", "-E", "UTF8", "--no-sync"]
        subprocess.run(command, check=True, capture_output=True, cwd="/", timeout=_SECONDS, **become)
        try:
            server.start(binaries)
            server.ask(f"CREATE DATABASE {DATABASE}", database="postgres")
            yield Database(server, binaries)
        finally:
            server.kill()
