"""A separate suite for fuzzing, whose processes have a watchdog of the loop; SECONDS and SEED of `make fuzz`."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sellergate_devstack.plan import Plan
from sellergate_devstack.settings import DevstackSettings
from sellergate_devstack.suite import Suite, running_suite

from tests.e2e.conftest import control, ephemeral_ports, fast, responses, rest  # noqa: F401
from tests.fuzz.run import Extent

WATCHED = Path(__file__).parent / "watched.py"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fuzz-seconds", type=float, default=20.0, help="how long each kind of fuzzing goes on")
    parser.addoption("--fuzz-seed", type=int, default=1, help="what chance begins with")


@pytest.fixture
def extent(request: pytest.FixtureRequest) -> Extent:
    """Return the extent of a run."""
    return Extent(request.config.getoption("--fuzz-seed"), seconds=request.config.getoption("--fuzz-seconds"))


@pytest.fixture(scope="session")
async def suite(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Suite]:
    """Run the whole suite under watchdogs."""
    settings = DevstackSettings(
        state_dir=tmp_path_factory.mktemp("suite"), log_level="info", simulator="on", **ephemeral_ports()
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Plan, "_command", lambda _, name: [sys.executable, str(WATCHED), f"sellergate_{name}"])
        patch.setenv("SELLERGATE_OAUTH_DONE_PAGE", "")
        patch.setenv("SELLERGATE_USER_RATE", "100000")
        patch.setenv("SELLERGATE_USER_BURST", "100000")
        patch.setenv("SELLERGATE_ACCOUNTS_PER_USER", "10000")
        patch.setenv("SELLERGATE_CLIENTS_PER_USER", "10000")
        async with running_suite(settings, lambda _: None) as running:
            yield running
