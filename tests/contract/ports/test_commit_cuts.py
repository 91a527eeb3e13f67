"""A connection to PostgreSQL is cut at COMMIT, and for one change at every point: the reported outcome is the true one.

tests/system/test_commit_cuts.py does so at every point of every change.
"""

import pytest

from tests.contract.ports.commit_cuts import CHANGES, COMMIT, cut_world, swept


@pytest.mark.parametrize("name", CHANGES)
async def test_a_change_whose_commit_is_cut_has_an_unknown_outcome_and_a_repeat_completes_it_once(
    postgres_url: str, name: str
) -> None:
    async with cut_world(postgres_url) as world:
        await swept(world, name, COMMIT)


async def test_a_change_that_is_cut_before_commit_stores_nothing(postgres_url: str) -> None:
    async with cut_world(postgres_url) as world:
        await swept(world, "rotate a token")
