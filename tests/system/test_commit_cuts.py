"""A connection to PostgreSQL is cut at every point of every change: the reported outcome is the real one."""

import pytest

from tests.contract.ports.commit_cuts import CHANGES, cut_world, swept


@pytest.mark.parametrize("name", CHANGES)
async def test_a_change_that_is_cut_reports_what_became_of_it_and_a_repeat_completes_it_once(
    postgres_url: str, name: str
) -> None:
    async with cut_world(postgres_url) as world:
        await swept(world, name)
