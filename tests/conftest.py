"""Fixtures of all tests: real servers, started once and only when a test requests one, without Docker."""

import itertools
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sellergate_common.identity.tls import Identity
from sellergate_devstack.certificates import Authority
from sellergate_devstack.servers.postgres import PostgresServer, running_postgres
from sellergate_devstack.servers.redis import running_redis

from tests.fakes.loop_watchdog import Watch, watched_loop

# A background job begins with SIGINT ignored, and so would every process that a test starts and then interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Redis of this session's own."""
    with running_redis(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture
def loop_watchdog() -> Iterator[Watch]:
    """Fails a test in which a callback of asyncio takes more than 100 ms of its thread's CPU time."""
    with watched_loop() as watch:
        yield watch


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A real PostgreSQL of this session's own."""
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_url_of(postgres: PostgresServer) -> Callable[[], str]:
    """Makes a fresh database at every call and returns its URL."""
    numbers = itertools.count(1)
    return lambda: postgres.create_database(f"test_{next(numbers)}")


@pytest.fixture
def postgres_url(postgres_url_of: Callable[[], str]) -> str:
    """A fresh database."""
    return postgres_url_of()


class TestAuthority:
    """A certificate authority whose identities are read at once."""

    __test__ = False

    def __init__(self, folder: Path) -> None:
        self._authority = Authority(folder)

    def files(self, name: str) -> tuple[Path, Path, Path]:
        """CA, certificate and key of `name`."""
        issued = self._authority.issue(name)
        return issued.ca, issued.certificate, issued.key

    def identity(self, name: str) -> Identity:
        """The identity `name`, read."""
        return Identity(*(file.read_bytes() for file in self.files(name)))


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> TestAuthority:
    """The authority that Sellergate's services trust."""
    return TestAuthority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def foreign_authority(tmp_path_factory: pytest.TempPathFactory) -> TestAuthority:
    """An authority that none of Sellergate's services trusts."""
    return TestAuthority(tmp_path_factory.mktemp("foreign"))
