"""The hunt for leaked secrets over the code as it is, and over a planted leak."""

import asyncio

import pytest
from sellergate_devstack.suite import Suite

from leaks.canaries import Canary, search
from leaks.hunting import hunted
from leaks.paths import PATHS
from leaks.places import dumping_processes, open_files, shown_processes
from leaks.planting import PLANTS, plant
from tests.e2e import hunt

PLACES = (
    "Redis",
    "account.sqlite",
    "log of token",
    "traces",
    "metrics",
    "console",
    "REST responses",
    "output of refused starts",
)


@pytest.mark.timeout(900)
async def test_nothing_leaks() -> None:
    found = await asyncio.to_thread(hunted)
    assert found.leaks == []
    assert found.paths == list(PATHS)
    assert all(found.places[name] for name in PLACES)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", ["request-printed", "core-dumped"])
async def test_a_planted_leak_is_found(name: str) -> None:
    assert (await asyncio.to_thread(plant, PLANTS / f"{name}.patch")).places


async def test_processes_and_files_of_the_suite_show_no_key(suite: Suite) -> None:
    keys = [Canary("a key", secret.decode()) for secret in hunt.secrets_of(suite)]
    places = {
        **dict(shown_processes(suite)),
        **{str(path): path.read_bytes() for path in open_files(suite.plan.state.folder)},
    }
    assert {f"{kind} of {name}" for kind in ("arguments", "environment") for name in suite.pids} <= set(places)
    assert search(places, keys) == []
    assert dumping_processes(suite) == []
