"""A refresh token belongs to one LWA client: an account changes its client only with a new refresh token."""

import pytest
from pydantic import SecretStr
from sellergate_account.accounts import Changes, Connection
from sellergate_account.applications import LwaClient, NewApplication
from sellergate_account.model import Account
from sellergate_common.errors import InvalidRequest

from tests.fakes.account import Domain, FakeStore

MINE, OTHER = SecretStr("amzn1.mine"), SecretStr("amzn1.other")
SECRET, TOKEN = SecretStr("secret"), SecretStr("Atzr|2")


@pytest.fixture
def world() -> Domain:
    return Domain(FakeStore())


def connection(client_id: SecretStr = MINE, **given: object) -> Connection:
    return Connection("u1", "SELLER1", "US", client=LwaClient(client_id, SECRET), **given)  # type: ignore[arg-type]


async def connect(world: Domain) -> Account:
    return (await world.accounts.upsert(connection(refresh_token=SecretStr("Atzr|1"))))[0]


async def test_another_application_needs_its_own_refresh_token(world: Domain) -> None:
    account = await connect(world)
    other = await world.applications.create(NewApplication("", OTHER, SECRET), "")
    changes = Changes(application_id=other.application_id)
    with pytest.raises(InvalidRequest) as caught:
        await world.accounts.update(account.account_id, "u1", changes, "")
    assert [violation.field for violation in caught.value.violations] == ["refresh_token"]
    assert await world.accounts.get(account.account_id, "u1") == account
    moved = await world.accounts.update(
        account.account_id, "u1", Changes(application_id=other.application_id, refresh_token=TOKEN), ""
    )
    assert moved.application_id == other.application_id
    assert (await world.accounts.secrets(account.account_id))[2:] == (
        (await world.applications.secrets(other.application_id))[1],
        TOKEN,
    )


async def test_another_lwa_client_needs_its_own_refresh_token_and_is_not_created_without_it(world: Domain) -> None:
    account = await connect(world)
    with pytest.raises(InvalidRequest) as caught:
        await world.accounts.upsert(connection(OTHER))
    assert [violation.field for violation in caught.value.violations] == ["refresh_token"]
    assert await world.accounts.get(account.account_id, "u1") == account
    assert len(await world.applications.list("u1", None, 9)) == 1
    moved, _ = await world.accounts.upsert(connection(OTHER, refresh_token=TOKEN))
    assert moved.application_id != account.application_id


async def test_the_same_lwa_client_under_another_application_keeps_the_token(world: Domain) -> None:
    account = await connect(world)
    shared = await world.applications.create(NewApplication("", MINE, SECRET), "")
    changes = Changes(application_id=shared.application_id)
    moved = await world.accounts.update(account.account_id, "u1", changes, "")
    assert moved.application_id == shared.application_id
    assert (await world.accounts.secrets(account.account_id))[3] == SecretStr("Atzr|1")
