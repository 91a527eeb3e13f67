"""Marketplaces in a query must belong to the region that is called."""

from dataclasses import replace

import pytest
from sellergate_common.errors import Reason

from tests.fakes.gateway import ACCOUNT, READ, World

US, DE, JP = "ATVPDKIKX0DER", "A1PA6795UKMFR9", "A1VC38T7YXB528"


@pytest.mark.parametrize(
    "query",
    [f"MarketplaceIds={DE}", f"marketplaceId={US}%2C{JP}", f"a=1&MARKETPLACEIDS={DE}", f"marketplace%49ds=x,{DE}"],
)
async def test_a_marketplace_of_another_region_is_refused_before_a_call(query: str) -> None:
    world = World()
    error = await world.refused(raw_query=query)
    assert error.reason is Reason.INVALID_REQUEST
    assert error.violations[0].field == "raw_query"
    assert "region" in error.message
    assert world.log == ["account"]
    await world.make(raw_query=query, sandbox=True)


@pytest.mark.parametrize(
    "query", [f"marketplaceIds={US},A2EUQ1WTGCTBG2", "marketplaceIds=NEW", f"other={DE}", f"xmarketplaceIds={DE}", ""]
)
async def test_matching_and_unknown_marketplaces_are_sent_to_amazon(query: str) -> None:
    world = World()
    await world.make(raw_query=query)
    assert len(world.sent) == 1


async def test_parts_and_accounts_of_other_regions() -> None:
    error = await World().refused(replace(READ, query=(("marketplaceIds", DE),)))
    assert error.violations[0].field == "query"
    await World(account=replace(ACCOUNT, marketplace="DE")).make(raw_query=f"marketplaceIds={DE}")
