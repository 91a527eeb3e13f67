"""The application of rotations, on the account domain in memory and a test clock."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr
from sellergate_account.model import State
from sellergate_account.secrets.rotation import NewSecret
from sellergate_common.errors import InvalidRequest, NotFound, PreconditionFailed, Reason
from sellergate_token.ports import RefreshToken
from sellergate_token.rotation.service import NewClientSecret, NewRefreshToken, SecretExpiry
from sellergate_token.tokens.exchanges import REFUSED_SECONDS

from tests.fakes.token import CLIENT, RotationWorld


@pytest.fixture
def world() -> RotationWorld:
    return RotationWorld()


def new_secret(world: RotationWorld, secret: str = "secret-2", days: float = 180) -> NewClientSecret:
    until, old_until = world.time + timedelta(days=days), world.time + timedelta(days=7)
    return NewClientSecret("", CLIENT, SecretStr(secret), until, old_until)


async def exchanged(world: RotationWorld, application_id: str) -> None:
    await world.exchanges.exchange(await world.stored.client(application_id), RefreshToken(SecretStr("Atzr|1")))


async def test_the_old_secret_is_tried_for_seven_days_and_not_a_day_longer(world: RotationWorld) -> None:
    application_id = await world.application()
    assert await world.rotations.apply(new_secret(world))
    # Amazon does not know the new secret yet: the old one still works.
    await exchanged(world, application_id)
    world.time += timedelta(days=7, seconds=-1)
    await exchanged(world, application_id)
    world.time += timedelta(seconds=1)
    with pytest.raises(PreconditionFailed):
        await exchanged(world, application_id)
    world.lwa.secrets = {"secret-2"}
    world.time += timedelta(seconds=REFUSED_SECONDS)
    await exchanged(world, application_id)


async def test_the_same_secret_again_changes_nothing(world: RotationWorld) -> None:
    application_id = await world.application()
    news = new_secret(world)
    assert await world.rotations.apply(news)
    before = await world.domain.applications.get(application_id, "")
    assert (before.secret_expire_time, before.previous_secret_expire_time) == (news.until, news.old_until)
    assert not await world.rotations.apply(news)
    assert await world.domain.applications.get(application_id, "") == before
    assert world.stored.writes == 1


async def test_a_late_notification_does_not_restore_an_old_secret(world: RotationWorld) -> None:
    application_id = await world.application()
    first = new_secret(world, "secret-2")
    await world.rotations.apply(first)
    world.time += timedelta(days=1)
    await world.rotations.apply(new_secret(world, "secret-3"))
    assert not await world.rotations.apply(first), "it is the previous secret"
    world.time += timedelta(days=20)
    third = new_secret(world, "secret-4")
    await world.rotations.apply(third)
    assert not await world.rotations.apply(first), "its end shows that it is older"
    ended = NewClientSecret("", CLIENT, SecretStr("secret-5"), world.time, world.time)
    assert not await world.rotations.apply(ended), "it has ended"
    client = await world.stored.client(application_id)
    assert (client.client_secret, client.previous_secret) == (SecretStr("secret-4"), SecretStr("secret-3"))


async def test_a_notification_from_the_future_is_refused(world: RotationWorld) -> None:
    application_id = await world.application()
    for ahead, refused in ((timedelta(hours=2), True), (timedelta(minutes=30), False)):
        news = replace(new_secret(world), issue_time=world.time + ahead)
        if refused:
            with pytest.raises(InvalidRequest) as caught:
                await world.rotations.apply(news)
            assert [violation.field for violation in caught.value.violations] == ["issue_time"]
        else:
            assert await world.rotations.apply(news)
    assert (await world.stored.application(application_id)).secret_issue_time == world.time + timedelta(minutes=30)


async def test_amazons_secret_wins_over_one_that_was_stored_by_hand_a_little_later(world: RotationWorld) -> None:
    application_id = await world.application()
    news = new_secret(world)
    world.time += timedelta(hours=1)
    await world.domain.applications.rotate(application_id, "", NewSecret(SecretStr("a-slip")))
    assert await world.rotations.apply(news)
    assert (await world.stored.client(application_id)).client_secret == SecretStr("secret-2")


async def test_an_unknown_client_and_a_users_own_one_are_not_found(world: RotationWorld) -> None:
    mine = await world.application("u1")
    for news in (new_secret(world), SecretExpiry(CLIENT, world.time)):
        with pytest.raises(NotFound) as caught:
            await world.rotations.apply(news)
        assert caught.value.reason is Reason.APPLICATION_NOT_FOUND
    assert (await world.stored.client(mine)).client_secret == SecretStr("secret-1")


async def test_an_application_named_with_another_client_is_refused(world: RotationWorld) -> None:
    application_id = await world.application("u1")
    news = NewClientSecret(application_id, SecretStr("other"), SecretStr("secret-2"))
    with pytest.raises(InvalidRequest) as caught:
        await world.rotations.apply(news)
    assert caught.value.violations[0].field == "lwa_client_id"
    assert await world.rotations.apply(NewClientSecret(application_id, CLIENT, SecretStr("secret-2")))
    found = await world.domain.applications.get(application_id, "")
    assert found.secret_expire_time == world.time + timedelta(days=180)
    assert found.previous_secret_expire_time == world.time + timedelta(days=7)


async def expiry_of(world: RotationWorld, application_id: str) -> datetime | None:
    return (await world.stored.application(application_id)).secret_expire_time


async def test_a_warning_corrects_the_end_of_the_present_secret_only(world: RotationWorld) -> None:
    application_id = await world.application()
    end = world.time + timedelta(days=12)
    assert await world.rotations.apply(SecretExpiry(CLIENT, end, world.time))
    assert await expiry_of(world, application_id) == end
    assert not await world.rotations.apply(SecretExpiry(CLIENT, end, world.time))
    await world.rotations.apply(new_secret(world))
    late = SecretExpiry(CLIENT, end, world.time - timedelta(hours=1))
    assert not await world.rotations.apply(late)
    assert await expiry_of(world, application_id) == world.time + timedelta(days=180)


async def test_a_warning_after_a_secret_that_ended_with_the_first_of_all_times(world: RotationWorld) -> None:
    application_id = await world.application()
    first = datetime.min.replace(tzinfo=UTC)
    assert await world.rotations.apply(replace(new_secret(world), old_until=first))
    end = world.time + timedelta(days=12)
    assert await world.rotations.apply(SecretExpiry(CLIENT, end, world.time))
    assert await expiry_of(world, application_id) == end


async def test_a_refresh_token_is_stored_only_after_it_has_worked(world: RotationWorld) -> None:
    application_id = await world.application()
    account_id = await world.account(application_id)
    news = NewRefreshToken(application_id, account_id, SecretStr("Atzr|2"), world.time + timedelta(days=300))
    with pytest.raises(InvalidRequest) as caught:
        await world.rotations.apply(news)
    assert caught.value.violations[0].field == "refresh_token"
    assert await world.refresh_token(account_id) == "Atzr|1"
    assert world.stored.writes == 0
    world.lwa.refresh_tokens.add("Atzr|2")
    assert await world.rotations.apply(news)
    assert await world.refresh_token(account_id) == "Atzr|2"
    account = await world.domain.accounts.get(account_id, "")
    assert account.authorization_expire_time == world.time + timedelta(days=300)
    assert not await world.rotations.apply(news), "the same token again"


async def test_a_refused_client_stores_no_refresh_token(world: RotationWorld) -> None:
    application_id = await world.application()
    account_id = await world.account(application_id)
    world.lwa.secrets.clear()
    with pytest.raises(PreconditionFailed) as caught:
        await world.rotations.apply(NewRefreshToken(application_id, account_id, SecretStr("Atzr|1")))
    assert caught.value.reason is Reason.LWA_CLIENT_REJECTED


async def test_a_revoked_account_works_again_with_a_new_token(world: RotationWorld) -> None:
    application_id = await world.application()
    account_id = await world.account(application_id)
    await world.domain.accounts.mark_revoked(account_id, 1)
    world.lwa.refresh_tokens.add("Atzr|2")
    assert await world.rotations.apply(NewRefreshToken(application_id, account_id, SecretStr("Atzr|2")))
    assert (await world.domain.accounts.get(account_id, "")).state is State.ACTIVE


@pytest.mark.parametrize("named", ["another", "unknown"])
async def test_an_account_of_another_application_is_not_found(world: RotationWorld, named: str) -> None:
    application_id = await world.application()
    other = await world.application("u1")
    account_id = await world.account(other) if named == "another" else "no-such"
    with pytest.raises(NotFound) as caught:
        await world.rotations.apply(NewRefreshToken(application_id, account_id, SecretStr("Atzr|1")))
    assert caught.value.reason is Reason.ACCOUNT_NOT_FOUND
    assert world.exchanges.made == 0
