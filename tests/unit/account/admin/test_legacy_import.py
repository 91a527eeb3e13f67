"""Imports into a store in memory: each account is stored whole or not at all, and stored accounts stay as they are."""

from dataclasses import replace
from datetime import timedelta

import pytest
from pydantic import SecretStr
from sellergate_account.accounts import Connection
from sellergate_account.admin.legacy_import import MAX_ROWS, Import, ImportResult, Outcome, Row, check_size
from sellergate_account.applications import LwaClient
from sellergate_account.model import Origin, State
from sellergate_common.errors import InvalidRequest, NotFound, PreconditionFailed

from tests.unit.account.test_accounts import World, connection


@pytest.fixture
def world() -> World:
    return World()


def run(world: World, *, dry: bool = False) -> Import:
    return Import(world.store, world.accounts, world.applications, dry_run=dry)


def row(account_id: str = "legacy-1", seller: str = "SELLER1", **given: object) -> Row:
    return Row(connection("u1", seller, **given), Origin(account_id))


async def test_a_row_keeps_its_id_its_state_and_its_times(world: World) -> None:
    made, changed = world.time - timedelta(days=400), world.time - timedelta(days=100)
    origin = Origin("legacy-1", State.INACTIVE, made, changed, role_without_external_id=True, detail="import")
    assert await run(world).import_row(Row(connection(seller="SELLER1"), origin)) == ImportResult(Outcome.CREATED)
    account = await world.accounts.get("legacy-1", "u1")
    assert (account.state, account.create_time, account.update_time) == (State.INACTIVE, made, changed)
    assert account.role_without_external_id
    assert account.authorization_expire_time is None, "the former system did not know when the seller consented"
    assert [event.detail for event in world.store.work.audit_log.log if event.chain] == ["import"]


@pytest.mark.parametrize("dry", [False, True])
async def test_an_equal_second_row_changes_nothing(world: World, dry: bool) -> None:
    this = run(world, dry=dry)
    assert (await this.import_row(row())).outcome is Outcome.CREATED
    before = world.store.work.copy()
    assert await this.import_row(row()) == ImportResult(Outcome.UNCHANGED)
    assert world.store.work == before
    assert bool(before.accounts.rows) is not dry


@pytest.mark.parametrize("dry", [False, True])
async def test_the_id_of_a_row_must_match_the_stored_account(world: World, dry: bool) -> None:
    this = run(world, dry=dry)
    await this.import_row(row())
    for clash in (row("legacy-2"), row(seller="SELLER2")):
        with pytest.raises(InvalidRequest) as caught:
            await this.import_row(clash)
        assert [violation.field for violation in caught.value.violations] == ["account_id"]


async def test_a_stored_account_that_differs_stays_and_is_reported(world: World) -> None:
    await run(world).import_row(row())
    taken = await run(world).import_row(row(refresh_token=SecretStr("Atzr|other"), region="eu-west-1"))
    warning = taken.warning
    assert taken.outcome is Outcome.UNCHANGED
    assert warning
    assert "differs in region, refresh_token" in warning.message
    assert (await world.accounts.secrets("legacy-1"))[3] == SecretStr("Atzr|1")


async def test_an_older_secret_does_not_replace_the_stored_one(world: World) -> None:
    await run(world).import_row(row())
    older = LwaClient(SecretStr("amzn1.client"), SecretStr("older"))
    taken = await run(world).import_row(row("legacy-2", "SELLER2", client=older))
    warning = taken.warning
    assert taken.outcome is Outcome.CREATED
    assert warning
    assert [violation.field for violation in warning.violations] == ["lwa_client_secret"]
    assert "older" not in warning.message
    assert (await world.accounts.secrets("legacy-2"))[2].client_secret == SecretStr("client-secret")


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        (row("bad id"), "account_id"),
        (row("x" * 65), "account_id"),
        (row(marketplace="XX"), "marketplace"),
        (row(marketplace_ids=("NOPE",)), "marketplace_ids[0]"),
        (row(refresh_token=None), "refresh_token"),
        (row(client=LwaClient(SecretStr("amzn1.other"), None)), "lwa_client_secret"),
        (row(client=None), "lwa_client_id"),
    ],
)
@pytest.mark.parametrize("dry", [False, True])
async def test_a_bad_row_stores_nothing(world: World, bad: Row, field: str, dry: bool) -> None:
    before = world.store.work.copy()
    with pytest.raises(InvalidRequest) as caught:
        await run(world, dry=dry).import_row(bad)
    assert [violation.field for violation in caught.value.violations] == [field]
    assert world.store.work == before


async def test_a_row_may_name_an_application_that_the_user_may_use(world: World) -> None:
    account = await world.connect()
    named = Connection("u1", "SELLER9", "US", account.application_id, refresh_token=SecretStr("Atzr|9"))
    assert (await run(world).import_row(Row(named, Origin("legacy-9")))).outcome is Outcome.CREATED
    with pytest.raises(NotFound):
        await run(world).import_row(Row(replace(named, user_id="u2"), Origin("legacy-10")))


async def test_a_row_of_a_client_that_does_not_open_is_refused(world: World) -> None:
    account = await world.connect()
    world.store.work.unreadable.add(f"applications/{account.application_id}")
    with pytest.raises(PreconditionFailed):
        await run(world).import_row(row())


def test_rows_beyond_the_limit_of_a_stream_are_refused() -> None:
    check_size(MAX_ROWS - 1)
    with pytest.raises(InvalidRequest, match="another stream"):
        check_size(MAX_ROWS)
