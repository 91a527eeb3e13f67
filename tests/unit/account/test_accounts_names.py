"""A caller's own reference and labels of accounts, on a store in memory."""

import pytest
from sellergate_account.model import Changes, Filter
from sellergate_common.errors import InvalidRequest

from tests.unit.account.test_accounts import World, connection, world

__all__ = ["world"]


async def test_a_connection_without_names_keeps_the_stored_ones(world: World) -> None:
    account = await world.connect(external_ref="4711", labels={"tier": "gold"})
    assert (account.external_ref, account.labels) == ("4711", {"tier": "gold"})
    again = await world.connect()
    assert (again.external_ref, again.labels, again.version) == ("4711", {"tier": "gold"}, account.version)


async def test_names_are_replaced_and_removed_without_a_new_revision(world: World) -> None:
    account = await world.connect(external_ref="4711", labels={"tier": "gold", "team": "a"})
    changed = await world.accounts.update(account.account_id, "u1", Changes(labels={"tier": "silver"}), "")
    assert (changed.labels, changed.revision, changed.version) == ({"tier": "silver"}, 1, 2)
    emptied = await world.accounts.update(account.account_id, "u1", Changes(external_ref="", labels={}), "")
    assert (emptied.external_ref, emptied.labels) == ("", {})
    assert (await world.connect(seller="B1B2C3D4E5", external_ref="4711")).external_ref == "4711"


async def test_a_reference_belongs_to_one_account_of_a_user(world: World) -> None:
    first = await world.connect(external_ref="4711")
    other = await world.connect(seller="B1B2C3D4E5")
    for attempt in (
        lambda: world.accounts.upsert(connection(seller="C1B2C3D4E5", external_ref="4711")),
        lambda: world.accounts.upsert(connection(seller="B1B2C3D4E5", external_ref="4711")),
        lambda: world.accounts.update(other.account_id, "u1", Changes(external_ref="4711"), ""),
    ):
        with pytest.raises(InvalidRequest, match=f"the user's account {first.account_id}; choose another"):
            await attempt()
    assert len(await world.accounts.list(Filter("u1"), None, 9)) == 2, "nothing was stored"
    assert (await world.connect("u2", external_ref="4711")).external_ref == "4711"


async def test_a_bad_label_stores_nothing(world: World) -> None:
    account = await world.connect()
    with pytest.raises(InvalidRequest) as caught:
        await world.accounts.update(account.account_id, "u1", Changes(labels={"tier": "a b"}), "")
    assert caught.value.violations[0].field == "account.labels[tier]"
    with pytest.raises(InvalidRequest):
        await world.accounts.upsert(connection(seller="B1B2C3D4E5", labels={"": "gold"}))
    assert [one.labels for one in await world.accounts.list(Filter("u1"), None, 9)] == [{}]
