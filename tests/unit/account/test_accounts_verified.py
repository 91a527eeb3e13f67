"""When and how Amazon last accepted an account's refresh token, on a store in memory."""

from datetime import timedelta

import pytest
from pydantic import SecretStr
from sellergate_account.model import Account, Changes, State, VerificationMethod
from sellergate_common.errors import Conflict

from tests.unit.account.test_accounts import World, world

__all__ = ["world"]

NEW = SecretStr("Atzr|2")
NEVER = (None, VerificationMethod.NONE)


def verification(account: Account) -> tuple[object, VerificationMethod]:
    return account.verified_time, account.verification_method


async def verified(world: World, method: VerificationMethod = VerificationMethod.REFRESH_TOKEN) -> Account:
    account = await world.connect()
    return await world.accounts.restore(account.account_id, account.revision, method)


async def test_a_stored_refresh_token_is_not_verified(world: World) -> None:
    assert verification(await world.connect()) == NEVER


@pytest.mark.parametrize("method", [VerificationMethod.REFRESH_TOKEN, VerificationMethod.CONSENT])
async def test_an_accepted_exchange_is_recorded_without_a_new_revision(
    world: World, method: VerificationMethod
) -> None:
    account = await verified(world, method)
    assert (account.state, *verification(account)) == (State.ACTIVE, world.time, method)
    assert (account.revision, account.version) == (1, 2)
    assert world.store.work.audit_log.log[-1].action == "authorization.verified"
    world.time += timedelta(minutes=5)
    again = await world.accounts.restore(account.account_id, account.revision)
    assert verification(again) == (world.time, VerificationMethod.REFRESH_TOKEN)
    with pytest.raises(Conflict):
        await world.accounts.restore(account.account_id, account.revision + 1)


async def test_an_unverified_refresh_token_ends_the_verification(world: World) -> None:
    account = await verified(world)
    assert verification(await world.connect()) == verification(account), "the same token"
    assert verification(await world.accounts.update(account.account_id, "u1", Changes(sandbox=True), "")) != NEVER
    changed = await world.accounts.update(account.account_id, "u1", Changes(refresh_token=NEW), "")
    assert verification(changed) == NEVER
    await world.accounts.restore(account.account_id, changed.revision)
    assert verification(await world.connect(refresh_token=SecretStr("Atzr|3"))) == NEVER


async def test_a_refresh_token_that_amazon_sent_is_verified(world: World) -> None:
    account = await world.connect()
    world.time += timedelta(minutes=5)
    rotated = await world.accounts.rotate_refresh_token(account.account_id, account.revision, NEW)
    assert verification(rotated) == (world.time, VerificationMethod.REFRESH_TOKEN)
    world.time += timedelta(minutes=5)
    assert await world.accounts.rotate_refresh_token(account.account_id, rotated.revision, NEW) == rotated


async def test_a_refusal_keeps_the_time_of_the_last_success(world: World) -> None:
    account = await verified(world)
    revoked = await world.accounts.mark_revoked(account.account_id, account.revision)
    assert verification(revoked) == verification(account)
    world.time += timedelta(minutes=5)
    restored = await world.accounts.restore(account.account_id, revoked.revision)
    assert (restored.state, restored.verified_time) == (State.ACTIVE, world.time)


async def test_an_inactive_account_stays_as_it_is(world: World) -> None:
    account = await world.connect()
    inactive = await world.accounts.set_active(account.account_id, "u1", "", active=False)
    assert await world.accounts.restore(account.account_id, inactive.revision) == inactive
