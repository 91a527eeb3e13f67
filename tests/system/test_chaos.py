"""Single faults of each kind in a world of real processes; `make chaos` runs all."""

import pytest
from sellergate_devstack.servers.postgres import find_postgres
from sellergate_devstack.servers.redis import NoRedis, find_redis

from chaos.report import line_of
from chaos.run import choose, run
from chaos.scenario import DEAD_SECONDS
from tests.system.conftest import Need

NAMES = [
    "gateway->token reset",
    "token->redis mute",
    "token-0 kill",
    "gateway-1 freeze",
    "caller->gateway half-open",
    "redis flush",
    "spapi garbage",
]


def has_servers() -> bool:
    try:
        return find_postgres().exists() and find_redis().exists()
    except (FileNotFoundError, NoRedis):
        return False


@pytest.mark.timeout(1200)
async def test_faults_break_no_invariant(need: Need) -> None:
    need("PostgreSQL and Redis", has_servers())
    results = await run(choose(NAMES, 0, 1), 1, lambda result: print(line_of(result)))
    assert len(results) == len(NAMES)
    # By then a ping has found a dead connection.
    assert max(result.recovery for result in results) < DEAD_SECONDS
    assert {result.name: result.violations for result in results if result.violations} == {}
