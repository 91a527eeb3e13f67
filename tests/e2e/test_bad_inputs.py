"""Whatever is wrong with a request, it is refused by name and no row changes."""

import httpx
import pytest

from tests.e2e import bad_accounts, bad_applications, bad_clients
from tests.e2e.bad_inputs import Bad, World, dump
from tests.e2e.conftest import Rest
from tests.e2e.sellers import Seller

CASES = (*bad_accounts.CASES, *bad_applications.CASES, *bad_clients.CASES)


@pytest.fixture(scope="module")
async def world(rest: Rest, control: httpx.AsyncClient) -> World:
    return await World.made(rest, await Seller.seeded(control))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_a_bad_request_is_refused_by_name_and_changes_no_row(world: World, case: Bad) -> None:
    before = dump(world.rest.suite)
    case.check(world, await case.refusal(world))
    assert dump(world.rest.suite) == before
