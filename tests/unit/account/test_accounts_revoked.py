"""A revoked account becomes active only by a new refresh token, or by an exchange that Amazon accepts."""

import pytest
from pydantic import SecretStr
from sellergate_account.model import Account, Changes, State
from sellergate_common.errors import Conflict, PreconditionFailed, Reason

from tests.unit.account.test_accounts import World

SAME, NEW = SecretStr("Atzr|1"), SecretStr("Atzr|2")


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def revoked(world: World) -> Account:
    account = await world.connect()
    return await world.accounts.mark_revoked(account.account_id, account.revision)


@pytest.mark.parametrize(
    ("token", "state"), [(NEW, State.ACTIVE), (SAME, State.AUTHORIZATION_REVOKED), (None, State.AUTHORIZATION_REVOKED)]
)
async def test_one_rule_holds_for_every_way_to_store_a_refresh_token(
    world: World, revoked: Account, token: SecretStr | None, state: State
) -> None:
    changed = await world.accounts.update(revoked.account_id, "u1", Changes(refresh_token=token, sandbox=True), "")
    assert changed.state is state
    again = await world.accounts.mark_revoked(changed.account_id, changed.revision)
    stored = (await world.connect(refresh_token=SecretStr("Atzr|3") if token == NEW else token)).state
    assert stored is state
    if token is not None:
        again = await world.accounts.get(revoked.account_id, "")
        again = await world.accounts.mark_revoked(again.account_id, again.revision)
        fresh = SecretStr("Atzr|4") if token == NEW else token
        assert (await world.accounts.rotate_refresh_token(again.account_id, again.revision, fresh)).state is state


async def test_an_inactive_account_becomes_active_by_an_upsert_without_a_token(world: World) -> None:
    account = await world.connect()
    await world.accounts.set_active(account.account_id, "u1", "", active=False)
    assert (await world.connect(refresh_token=None)).state is State.ACTIVE


async def test_an_accepted_exchange_restores_the_revision_that_it_was_made_with(world: World, revoked: Account) -> None:
    with pytest.raises(Conflict):
        await world.accounts.restore(revoked.account_id, revoked.revision - 1)
    restored = await world.accounts.restore(revoked.account_id, revoked.revision)
    assert (restored.state, restored.revision) == (State.ACTIVE, revoked.revision + 1)
    assert await world.accounts.restore(revoked.account_id, restored.revision) == restored
    assert (await world.accounts.secrets(revoked.account_id))[3] == SAME
    assert [event.action for event in world.store.work.audit_log.log][-2:] == ["authorization.restored", "secrets.read"]


async def test_the_secrets_of_a_revoked_account_open_only_for_a_verification(world: World, revoked: Account) -> None:
    with pytest.raises(PreconditionFailed) as caught:
        await world.accounts.secrets(revoked.account_id)
    assert caught.value.reason is Reason.AUTHORIZATION_REVOKED
    assert (await world.accounts.secrets(revoked.account_id, verifying=True))[3] == SAME
    await world.accounts.set_active(revoked.account_id, "u1", "", active=False)
    with pytest.raises(PreconditionFailed):
        await world.accounts.secrets(revoked.account_id, verifying=True)
