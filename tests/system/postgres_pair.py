"""Two PostgreSQL servers: a primary, and a standby that has stored every change before the primary acknowledges it."""

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from sellergate_devstack.processes.ports import LOOPBACK, free_ports
from sellergate_devstack.servers.postgres import Programs, find_postgres, postgres_programs

SECONDS = 60.0
DATABASE = "sellergate"


class Server:
    """One server of the pair."""

    def __init__(self, data: Path, programs: Programs) -> None:
        self.port, self.data, self._programs = free_ports(1)[0], data, programs
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server, and wait until it responds."""
        self._launch()
        until(self._responds)

    def _launch(self) -> None:
        options = [f"listen_addresses={LOOPBACK}", "unix_socket_directories=", "fsync=off"]
        command = [self._programs.binaries / "postgres", "-D", self.data, "-p", str(self.port)]
        command += [word for option in options for word in ("-c", option)]
        with self.data.with_suffix(".log").open("ab") as log:
            self._process = subprocess.Popen(command, cwd="/", stdout=log, stderr=log, **self._programs.become)

    def _responds(self) -> bool:
        # A server refuses to start while processes of one that was killed have not ended.
        if self._process is not None and self._process.poll() is not None:
            self._launch()
        return self.ask("SELECT 1", database="postgres") == 1

    def ask(self, query: str, *, database: str = DATABASE) -> Any:
        """Run a query and return its first value; None for a query without rows."""
        address = f"host={LOOPBACK} port={self.port} user=postgres dbname={database} connect_timeout=5"
        with psycopg.connect(address, autocommit=True) as connection:
            found = connection.execute(query)
            row = found.fetchone() if found.description else None
        return row[0] if row else None

    def kill(self) -> None:
        """Kill the server; its processes end with it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


class Pair:
    """The pair, and the URL that names both servers."""

    def __init__(self, primary: Server, standby: Server) -> None:
        self.primary, self.standby = primary, standby
        hosts = "&".join(f"host={LOOPBACK}:{one.port}" for one in (primary, standby))
        self.url = f"postgresql+psycopg://postgres@/{DATABASE}?{hosts}&target_session_attrs=read-write"

    def promote(self) -> float:
        """Make the standby the primary; return when it accepted a change, by the monotonic clock."""
        self.standby.ask(f"SELECT pg_promote(true, {SECONDS:.0f})")
        until(lambda: self.standby.ask("CREATE TABLE IF NOT EXISTS promoted ()") is None)
        return time.monotonic()


@contextmanager
def replicating() -> Iterator[Pair]:
    """Run the pair in a temporary folder. Raises FileNotFoundError where a program of PostgreSQL is missing."""
    with postgres_programs() as programs:
        primary = Server(programs.make_data("primary"), programs)
        standby = Server(programs.folder / "standby", programs)
        try:
            primary.start()
            primary.ask(f"CREATE DATABASE {DATABASE}", database="postgres")
            address = ["-h", LOOPBACK, "-p", str(primary.port), "-U", "postgres"]
            programs.run([base_backup(), *address, "-D", standby.data, "-R", "-X", "stream", "-c", "fast", "--no-sync"])
            standby.start()
            # The copy does not have this line, so that the standby acknowledges by itself once it is the primary.
            primary.ask("ALTER SYSTEM SET synchronous_standby_names = '*'")
            primary.ask("SELECT pg_reload_conf()")
            until(lambda: primary.ask("SELECT sync_state FROM pg_stat_replication") == "sync")
            yield Pair(primary, standby)
        finally:
            standby.kill()
            primary.kill()


def base_backup() -> Path:
    """Return the program that copies a running server. Raises FileNotFoundError."""
    beside, on_path = find_postgres() / "pg_basebackup", shutil.which("pg_basebackup")
    if not beside.exists() and on_path is None:
        raise FileNotFoundError("there is no pg_basebackup on this machine; install PostgreSQL's client programs")
    return beside if beside.exists() else Path(on_path or "")


def until(is_so: Callable[[], bool]) -> None:
    """Wait until a condition of a server holds, whether or not it responds yet. Raises its last error, and TimeoutError."""
    end = time.monotonic() + SECONDS
    while True:
        try:
            if is_so():
                return
        except psycopg.Error:
            if time.monotonic() > end:
                raise
        if time.monotonic() > end:
            raise TimeoutError(f"the server did not reach the state within {SECONDS:.0f} s")
        time.sleep(0.05)
