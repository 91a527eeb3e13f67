"""A frozen primary, as on a machine that swaps or a network that drops packets: it neither refuses nor responds."""

import asyncio
import signal
from pathlib import Path

import pytest

from tests.integration import redis_sets
from tests.integration.redis_worlds import KEY, world


@pytest.mark.parametrize("kind", ["sentinel", "cluster"])
async def test_a_frozen_primary_is_left_and_no_client_returns_to_it(tmp_path: Path, kind: str) -> None:
    with getattr(redis_sets, kind)(tmp_path) as servers:
        async with world(servers.url) as living:
            frozen = servers.primary_of(KEY)
            frozen.send(signal.SIGSTOP)
            await living.outlives()
            frozen.send(signal.SIGCONT)
            for _ in range(50):
                await living.turn()
                await asyncio.sleep(0.1)
            living.misses = 1
            await living.outlives()
    assert living.longest < 4


async def test_frozen_sentinels_cost_a_part_of_a_second(tmp_path: Path) -> None:
    with redis_sets.sentinel(tmp_path) as servers:
        servers.watchers[0].send(signal.SIGSTOP)
        async with world(servers.url) as living:
            assert await living.turn()
            assert living.misses == 0
