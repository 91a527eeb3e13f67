"""Secrets that no longer open: each is reported as a precondition of its row, affects nothing else, and can be stored again."""

from datetime import timedelta

import pytest
from pydantic import SecretStr
from sellergate_account.applications import LwaClient, NewApplication
from sellergate_account.model import Changes, Filter, State
from sellergate_account.secrets.rotation import NewSecret
from sellergate_common.errors import InvalidRequest, PreconditionFailed, Reason

from tests.unit.account.test_accounts import World

UNREADABLE = "accounts/{0.account_id}"


@pytest.fixture
def world() -> World:
    return World()


async def test_an_unreadable_refresh_token_is_reported_by_row_and_can_be_stored_again(world: World) -> None:
    account = await world.connect()
    world.store.work.unreadable.add(UNREADABLE.format(account))
    with pytest.raises(PreconditionFailed) as caught:
        await world.accounts.secrets(account.account_id)
    assert caught.value.reason is Reason.SECRET_UNREADABLE
    assert caught.value.metadata == {"row": f"accounts/{account.account_id}"}
    healed = await world.connect()
    assert (healed.account_id, healed.revision) == (account.account_id, 2)
    assert (await world.accounts.secrets(account.account_id))[3] == SecretStr("Atzr|1")


async def test_an_account_that_does_not_open_can_be_made_inactive_and_keeps_its_token(world: World) -> None:
    account = await world.connect()
    world.store.work.unreadable.add(UNREADABLE.format(account))
    off = await world.accounts.set_active(account.account_id, "u1", "", active=False)
    assert (off.state, off.revision) == (State.INACTIVE, account.revision)
    world.store.work.unreadable.clear()  # the key is in the ring again
    on = await world.accounts.set_active(account.account_id, "u1", "", active=True)
    assert on.revision == 2
    assert (await world.accounts.secrets(account.account_id))[3] == SecretStr("Atzr|1")


async def test_an_account_that_does_not_open_refuses_changes_that_need_its_secret(world: World) -> None:
    account = await world.connect()
    world.store.work.unreadable.add(UNREADABLE.format(account))
    with pytest.raises(PreconditionFailed) as caught:
        await world.accounts.update(account.account_id, "u1", Changes(iam_role_arn="arn:aws:iam::1:role/x"), "")
    assert caught.value.reason is Reason.SECRET_UNREADABLE
    assert await world.accounts.get(account.account_id, "u1") == account
    await world.accounts.remove(account.account_id, "u1", "")


async def test_an_upsert_with_a_secret_repairs_an_unreadable_application(world: World) -> None:
    account = await world.connect()
    world.store.work.unreadable.add(f"applications/{account.application_id}")
    with pytest.raises(PreconditionFailed):
        await world.accounts.secrets(account.account_id)
    with pytest.raises(PreconditionFailed):
        await world.accounts.update(account.account_id, "u1", Changes(client_secret=SecretStr("new")), "")
    await world.connect()
    secrets = (await world.accounts.secrets(account.account_id))[2]
    assert secrets.client_secret == SecretStr("client-secret")
    assert secrets.previous_client_secret is None


async def test_creating_an_unreadable_application_again_repairs_it(world: World) -> None:
    new = NewApplication("", SecretStr("amzn1.shared"), SecretStr("secret-1"))
    made = await world.applications.create(new, "")
    with pytest.raises(InvalidRequest, match="stored already"):
        await world.applications.create(new, "")
    world.store.work.unreadable.add(f"applications/{made.application_id}")
    with pytest.raises(PreconditionFailed):
        await world.applications.rotate(made.application_id, "", NewSecret(SecretStr("secret-2")))
    healed = await world.applications.create(new, "")
    assert (healed.application_id, healed.revision) == (made.application_id, 2)
    assert (await world.applications.secrets(made.application_id))[1].client_secret == SecretStr("secret-1")


async def test_the_end_of_an_authorization_is_unknown_unless_it_was_given(world: World) -> None:
    account = await world.connect()
    assert account.authorization_expire_time is None, "any text may be a refresh token, of any age"
    end = world.time + timedelta(days=30)
    given = await world.connect(refresh_token=SecretStr("Atzr|2"), authorization_expire_time=end)
    assert given.authorization_expire_time == end
    same = await world.connect(refresh_token=SecretStr("Atzr|2"))
    assert same.authorization_expire_time == end
    older = await world.connect(refresh_token=SecretStr("Atzr|1"))
    assert older.authorization_expire_time is None, "an old token that is stored again has no new year"


async def test_a_rotated_refresh_token_does_not_renew_the_consent(world: World) -> None:
    account = await world.connect(authorization_expire_time=world.time + timedelta(days=300))
    world.time += timedelta(days=100)
    rotated = await world.accounts.rotate_refresh_token(account.account_id, 1, SecretStr("Atzr|2"))
    assert rotated.revision == 2
    assert rotated.authorization_expire_time is not None
    assert rotated.authorization_expire_time == account.authorization_expire_time


async def test_authorizations_that_end_soon_are_listed(world: World) -> None:
    soon = await world.connect(seller="SOON", authorization_expire_time=world.time + timedelta(days=20))
    await world.connect(seller="LATER")
    found = await world.accounts.list(Filter("u1", expires_before=world.time + timedelta(days=30)), None, 9)
    assert found == (soon,)


async def test_a_role_without_external_id_raises_the_revision(world: World) -> None:
    account = await world.connect(iam_role_arn="arn:aws:iam::123456789012:role/x")
    assert not account.role_without_external_id
    changed = await world.accounts.update(account.account_id, "", Changes(role_without_external_id=True), "")
    assert (changed.role_without_external_id, changed.revision) == (True, 2)
    assert (await world.connect()).role_without_external_id


async def test_users_with_the_same_lwa_client_have_separate_secrets(world: World) -> None:
    mine = await world.connect("u1")
    with pytest.raises(InvalidRequest, match="lwa_client_secret"):
        await world.connect("u2", client=LwaClient(SecretStr("amzn1.client"), None))
    foreign = await world.connect("u2", client=LwaClient(SecretStr("amzn1.client"), SecretStr("guess")))
    assert foreign.application_id != mine.application_id
    await world.applications.rotate(mine.application_id, "u1", NewSecret(SecretStr("rotated")))
    secrets = (await world.accounts.secrets(foreign.account_id))[2]
    assert (secrets.client_secret, secrets.previous_client_secret) == (SecretStr("guess"), None)
    await world.applications.rotate(foreign.application_id, "u2", NewSecret(SecretStr("guess-2")))
    assert (await world.accounts.secrets(mine.account_id))[2].client_secret == SecretStr("rotated")
