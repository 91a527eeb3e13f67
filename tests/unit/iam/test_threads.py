"""Threads of regions: one that does not respond blocks only its own, and is reported."""

from collections.abc import Iterator
from threading import Event, current_thread

import pytest
from sellergate_iam.sts_errors import Busy
from sellergate_iam.threads import MOST_REGIONS, STUCK_SECONDS, THREADS, RegionThreads


class World:
    def __init__(self) -> None:
        self.now = 0.0
        self.threads = RegionThreads(lambda: self.now)
        self.release = Event()

    def hang(self) -> None:
        self.release.wait(10)
        raise Busy("no response")


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.release.set()
    made.threads.close()


def test_a_region_that_hangs_blocks_only_its_own_threads_and_is_reported(world: World) -> None:
    hanging = [world.threads.submit("us-east-1", world.hang) for _ in range(3 * THREADS)]
    assert world.threads.submit("eu-west-1", lambda: "well").result(5) == "well"
    while world.threads._regions["us-east-1"].busy < THREADS:
        pass
    assert world.threads.problem() == ""
    world.now = STUCK_SECONDS
    assert "us-east-1" in world.threads.problem()
    assert [future.done() for future in hanging] == [False] * len(hanging)
    world.release.set()
    assert [type(future.exception(5)) for future in hanging] == [Busy] * len(hanging)
    assert world.threads.submit("us-east-1", lambda: "well").result(5) == "well"
    assert world.threads.problem() == ""


def test_invented_regions_share_their_threads(world: World) -> None:
    names = {
        world.threads.submit(f"region-{number}", lambda: current_thread().name).result(5).rpartition("_")[0]
        for number in range(2 * MOST_REGIONS)
    }
    assert len(names) == MOST_REGIONS + 1
