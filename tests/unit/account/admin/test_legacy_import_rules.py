"""The precedence of rows in one import: active before inactive, newer before older; and applications that users share."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr
from sellergate_account.admin.legacy_import import Import, ImportResult, Outcome, Row
from sellergate_account.applications import LwaClient, NewApplication
from sellergate_account.model import Origin, State
from sellergate_account.secrets.rotation import NewSecret
from sellergate_common.errors import InvalidRequest

from tests.unit.account.test_accounts import World, connection

START = datetime(2024, 1, 1, tzinfo=UTC)
CLIENT = SecretStr("amzn1.client")


def row(number: int, secret: str, day: int, *, active: bool = True, **given: object) -> Row:
    state = State.ACTIVE if active else State.INACTIVE
    shared = {name: given.pop(name) for name in ("shared", "shared_id") if name in given}
    values = {"client": LwaClient(CLIENT, SecretStr(secret)), **given}
    origin = Origin(f"legacy-{number}", state, START, START + timedelta(days=day))
    return Row(connection("u1", **{"seller": f"SELLER{number}", **values}), origin, **shared)  # type: ignore[arg-type]


def run(world: World, *, dry: bool = False) -> Import:
    return Import(world.store, world.accounts, world.applications, dry_run=dry)


def secrets(world: World) -> tuple[str, str | None]:
    """Return the stored secrets of the user's LWA client: the current and the previous one."""
    [(application, stored)] = [found for found in world.store.work.applications.rows.values() if found[0].owner_user_id]
    assert (application.previous_secret_expire_time is None) == (stored.previous_client_secret is None)
    previous = stored.previous_client_secret
    return stored.client_secret.get_secret_value(), previous and previous.get_secret_value()


ROWS = st.lists(st.tuples(st.booleans(), st.integers(0, 300)), min_size=2, max_size=2, unique_by=lambda row: row[1])


@settings(deadline=None)
@given(ROWS)
async def test_the_active_secret_of_two_rows_is_current_in_every_order(
    given: list[tuple[bool, int]],
) -> None:
    world = World()
    rows = [row(n, f"secret-{n}", day, active=active) for n, (active, day) in enumerate(given)]
    dry, real = run(world, dry=True), run(world)
    predicted = [await dry.import_row(one) for one in rows]
    taken = [await real.import_row(one) for one in rows]
    assert [(one.outcome, str(one.warning)) for one in taken] == [(one.outcome, str(one.warning)) for one in predicted]
    best = max(range(2), key=lambda n: given[n])
    if given[0][0] or given[1][0]:
        assert secrets(world) == (f"secret-{best}", f"secret-{1 - best}")
    assert [one.warning is None for one in taken] == [True, False]


@pytest.mark.parametrize("dry", [False, True])
async def test_a_third_secret_of_a_client_is_refused_with_a_remedy(dry: bool) -> None:
    world = World()
    this = run(world, dry=dry)
    await this.import_row(row(1, "current", 9))
    assert (await this.import_row(row(2, "older", 8))).warning
    assert (await this.import_row(row(3, "older", 7, active=False))).warning
    for active in (True, False):
        with pytest.raises(InvalidRequest, match="third secret") as refused:
            await this.import_row(row(4, "oldest", 6, active=active))
        assert [violation.field for violation in refused.value.violations] == ["lwa_client_secret"]
        assert "put the current secret into this row" in refused.value.message
    assert (await this.import_row(row(5, "current", 5, active=False))) == ImportResult(Outcome.CREATED)
    if not dry:
        assert secrets(world) == ("current", "older")


@pytest.mark.parametrize("dry", [False, True])
async def test_a_newer_active_row_of_a_later_import_replaces_the_secret(dry: bool) -> None:
    world = World()
    await run(world).import_row(row(1, "first", 9))
    world.time += timedelta(days=30)
    newer = row(2, "second", (world.time - START).days - 1)
    taken = await run(world, dry=dry).import_row(newer)
    assert taken.warning
    assert "replaces it" in taken.warning.message
    assert "dropped" not in taken.warning.message
    assert secrets(world) == (("first", None) if dry else ("second", "first"))


async def test_the_deletion_of_a_previous_secret_is_reported(world: World) -> None:
    await run(world).import_row(row(1, "first", 9))
    await run(world).import_row(row(2, "older", 8))
    world.time += timedelta(days=3)
    taken = await run(world).import_row(row(3, "second", (world.time - START).days - 1))
    assert taken.warning
    assert "the earlier previous secret is deleted" in taken.warning.message
    assert secrets(world) == ("second", "first")


async def test_a_rotated_secret_is_not_replaced_by_older_rows(world: World) -> None:
    await run(world).import_row(row(1, "first", 9))
    application_id = next(iter(world.store.work.applications.rows))
    await world.applications.rotate(application_id, "", NewSecret(SecretStr("rotated")))
    with pytest.raises(InvalidRequest, match="third secret"):
        await run(world).import_row(row(2, "second", 300))
    assert (await run(world).import_row(row(3, "first", 300))).warning
    assert secrets(world) == ("rotated", "first")


@pytest.mark.parametrize("dry", [False, True])
async def test_an_inactive_row_does_not_replace_a_refused_active_row(dry: bool) -> None:
    world = World()
    this = run(world, dry=dry)
    this.note_refused("u1", "SELLER1", "gb")
    inactive = row(1, "secret", 9, active=False, marketplace="UK")
    with pytest.raises(InvalidRequest, match="correct that row") as refused:
        await this.import_row(inactive)
    assert [violation.field for violation in refused.value.violations] == ["inactive"]
    assert (await this.import_row(row(2, "secret", 9, active=False))).outcome is Outcome.CREATED


async def test_an_active_row_of_an_inactive_account_is_refused_with_a_remedy(world: World) -> None:
    await run(world).import_row(row(1, "secret", 9, active=False))
    with pytest.raises(InvalidRequest, match="remove that inactive account permanently"):
        await run(world).import_row(row(2, "secret", 8, seller="SELLER1"))


@pytest.fixture
def world() -> World:
    return World()


async def shared_application(world: World) -> str:
    made = await world.applications.create(NewApplication("", CLIENT, SecretStr("before")), "")
    await world.applications.rotate(made.application_id, "", NewSecret(SecretStr("current")))
    return made.application_id


@pytest.mark.parametrize("dry", [False, True])
async def test_accounts_are_attached_to_the_operators_application_by_its_secrets(world: World, dry: bool) -> None:
    id_ = await shared_application(world)
    this = run(world, dry=dry)
    for number, (secret, shared_id) in enumerate([("current", ""), ("before", id_)]):
        taken = await this.import_row(row(number, secret, 9, shared=True, shared_id=shared_id))
        assert taken == ImportResult(Outcome.CREATED, None, id_)
        if not dry:
            assert (await world.accounts.get(f"legacy-{number}", "u1")).application_id == id_
    with pytest.raises(InvalidRequest, match="rotate the secret there") as refused:
        await this.import_row(row(3, "another", 9, shared=True))
    assert [violation.field for violation in refused.value.violations] == ["lwa_client_secret"]
    assert (await this.import_row(row(4, "another", 9))) == ImportResult(Outcome.CREATED)
    assert next(app for app, _ in world.store.work.applications.rows.values()).application_id == id_


async def test_an_expired_previous_secret_does_not_attach_an_account(world: World) -> None:
    await shared_application(world)
    world.time += timedelta(days=8)
    with pytest.raises(InvalidRequest, match="rotate the secret there"):
        await run(world).import_row(row(1, "before", 9, shared=True))


async def test_only_an_operators_application_can_be_named(world: World) -> None:
    id_ = await shared_application(world)
    other = LwaClient(SecretStr("amzn1.other"), SecretStr("secret"))
    taken = await run(world).import_row(row(1, "", 9, client=other, shared=True, shared_id=id_))
    assert taken == ImportResult(Outcome.CREATED)
    own = (await world.accounts.get("legacy-1", "u1")).application_id
    assert own != id_
    for wrong in (own, "none", "'"):
        with pytest.raises(InvalidRequest, match="operator's application") as refused:
            await run(world).import_row(row(2, "current", 9, shared=True, shared_id=wrong))
        assert [violation.field for violation in refused.value.violations] == ["shared_application_id"]
