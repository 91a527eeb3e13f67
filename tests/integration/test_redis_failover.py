"""The failure of a primary: misses for some seconds, no lasting error, and then everything works again without help."""

import signal
from pathlib import Path

import pytest

from tests.integration import redis_sets
from tests.integration.redis_worlds import KEY, world


@pytest.mark.parametrize("kind", ["sentinel", "cluster"])
async def test_a_killed_primary_is_replaced_by_another(tmp_path: Path, kind: str) -> None:
    with getattr(redis_sets, kind)(tmp_path) as servers:
        async with world(servers.url) as living:
            dead = servers.primary_of(KEY)
            dead.send(signal.SIGKILL)
            await living.outlives()
            assert servers.primary_of(KEY) is not dead
    # A put, a get and an admission, each with a second of its own.
    assert living.longest < 4


async def test_a_subscription_moves_away_from_a_failed_node(tmp_path: Path) -> None:
    with redis_sets.cluster(tmp_path) as servers:
        async with world(servers.url) as living:
            (subscribed,) = [one for one in servers.servers if one.execute("PUBSUB", "CHANNELS")]
            subscribed.send(signal.SIGKILL)
            living.misses = 1  # that node must hold no key of this test's
            await living.outlives()


async def test_a_slot_that_moves_to_another_primary_is_followed(tmp_path: Path) -> None:
    with redis_sets.cluster(tmp_path) as servers:
        async with world(servers.url) as living:
            source = servers.primary_of(KEY)
            target = next(one for one in servers.servers[:3] if one is not source)
            slot, ids = (
                int(source.execute("CLUSTER", "KEYSLOT", KEY)),
                [one.execute("CLUSTER", "MYID") for one in (source, target)],
            )
            target.execute("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[0])
            source.execute("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[1])
            keys = source.execute("CLUSTER", "GETKEYSINSLOT", slot, 100)
            password = servers.users.login("operator")[1]
            source.execute("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "AUTH", password, "KEYS", *keys)
            assert await living.turn()
            for one in (target, source):
                one.execute("CLUSTER", "SETSLOT", slot, "NODE", ids[1])
            assert await living.turn()
            assert await living.cache.count() == 1
            assert await living.whole()
        assert living.misses == 0
