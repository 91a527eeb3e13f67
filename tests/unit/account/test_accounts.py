"""The rules of accounts, on a store in memory."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from pydantic import SecretStr
from sellergate_account.accounts import Connection
from sellergate_account.applications import LwaClient
from sellergate_account.model import Account, Changes, Filter, Origin, Signing, State, etag_of
from sellergate_account.ports.errors import DuplicateKey
from sellergate_account.secrets.rotation import OLD_SECRET_LIFE
from sellergate_common.errors import (
    Conflict,
    InvalidRequest,
    NotAllowed,
    NotFound,
    PreconditionFailed,
    Reason,
    Unavailable,
)

from tests.fakes.account import Domain, FakeAccounts, FakeStore


class World(Domain):
    store: FakeStore

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 23, tzinfo=UTC)
        ids = count(1)
        super().__init__(FakeStore(), lambda: self.time, lambda: f"id-{next(ids)}", lambda: f"ext-{next(ids)}")

    async def connect(self, user: str = "u1", seller: str = "A1B2C3D4E5", **given: object) -> Account:
        account, _ = await self.accounts.upsert(connection(user, seller, **given))
        return account


def connection(user: str = "u1", seller: str = "A1B2C3D4E5", **given: object) -> Connection:
    values: dict[str, object] = {
        "user_id": user,
        "amazon_seller_id": seller,
        "marketplace": "US",
        "client": LwaClient(SecretStr("amzn1.client"), SecretStr("client-secret")),
        "refresh_token": SecretStr("Atzr|1"),
    }
    return Connection(**{**values, **given})  # type: ignore[arg-type]


@pytest.fixture
def world() -> World:
    return World()


async def test_a_new_seller_is_stored_with_its_defaults(world: World) -> None:
    account, created = await world.accounts.upsert(connection(marketplace="gb"))
    assert created
    assert account.marketplace == "UK"
    assert account.marketplace_ids == ("A1F83G8C2ARO7P",)
    assert (account.region, account.signing, account.state, account.revision) == (
        "us-east-1",
        Signing.AUTO,
        State.ACTIVE,
        1,
    )
    assert world.announced == [account.account_id]


async def test_an_equal_upsert_changes_nothing(world: World) -> None:
    first = await world.connect()
    again, created = await world.accounts.upsert(connection())
    assert not created
    assert again == first


async def test_fields_that_are_not_set_are_kept(world: World) -> None:
    first = await world.connect(iam_role_arn="arn:aws:iam::123456789012:role/x", sandbox=True, region="eu-west-1")
    again = await world.connect(client=None, refresh_token=None)
    assert again == first


@pytest.mark.parametrize(
    ("given", "raises_revision"),
    [
        ({"refresh_token": SecretStr("Atzr|2")}, True),
        ({"iam_role_arn": "arn:aws:iam::123456789012:role/y"}, True),
        ({"client": LwaClient(SecretStr("amzn1.other"), SecretStr("s"))}, True),
        ({"marketplace_ids": ("A2EUQ1WTGCTBG2",)}, False),
        ({"sandbox": True}, False),
        ({"signing": Signing.NONE}, False),
    ],
)
async def test_only_credentials_raise_the_revision(
    world: World, given: dict[str, object], raises_revision: bool
) -> None:
    first = await world.connect()
    changed = await world.connect(**given)
    assert changed.version == first.version + 1
    assert changed.revision == first.revision + int(raises_revision)
    assert etag_of(changed) != etag_of(first)


async def test_one_user_has_one_external_id_and_no_two_users_share_it(world: World) -> None:
    ids = {(await world.connect("u1", "SELLER1")).external_id, (await world.connect("u1", "SELLER2")).external_id}
    assert len(ids) == 1
    assert (await world.connect("u2", "SELLER1")).external_id not in ids


async def test_users_with_one_client_id_have_an_application_each(world: World) -> None:
    first, second = await world.connect("u1"), await world.connect("u2")
    assert first.application_id != second.application_id
    with pytest.raises(NotFound) as caught:
        await world.connect("u2", "SELLER2", client=None, application_id=first.application_id)
    assert caught.value.reason is Reason.APPLICATION_NOT_FOUND


async def test_a_new_client_secret_is_stored_beside_the_old_one(world: World) -> None:
    account = await world.connect()
    await world.connect(client=LwaClient(SecretStr("amzn1.client"), SecretStr("new-secret")))
    application, secrets = await world.applications.secrets(account.application_id)
    assert secrets.client_secret == SecretStr("new-secret")
    assert secrets.previous_client_secret == SecretStr("client-secret")
    assert application.previous_secret_expire_time == world.time + OLD_SECRET_LIFE
    world.time += OLD_SECRET_LIFE
    assert (await world.applications.secrets(account.application_id))[1].previous_client_secret is None
    assert (await world.accounts.secrets(account.account_id))[2].previous_client_secret is None


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"marketplace": "XX"}, "marketplace"),
        ({"marketplace_ids": ("ATVPDKIKX0DER", "NOPE")}, "marketplace_ids[1]"),
        ({"marketplace_ids": ("ATVPDKIKX0DER", "A2EUQ1WTGCTBG2", "ATVPDKIKX0DER")}, "marketplace_ids[2]"),
        ({"authorization_expire_time": datetime(2026, 11, 23, tzinfo=UTC)}, "authorization_expire_time"),
        ({"refresh_token": None}, "refresh_token"),
        ({"client": None}, "lwa_client_id"),
        ({"client": LwaClient(SecretStr("amzn1.new"), None)}, "lwa_client_secret"),
        ({"application_id": "id-1"}, "application_id"),
    ],
)
async def test_missing_and_wrong_fields_are_named_and_nothing_is_stored(
    world: World, given: dict[str, object], field: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await world.connect(**given)
    assert [violation.field for violation in caught.value.violations] == [field]
    assert not world.store.work.accounts.rows
    assert not world.store.work.applications.rows
    assert not world.announced


@pytest.mark.parametrize("account_id", ["unknown", "", "x" * 65, "a/b", "'; DROP TABLE accounts; --", "id\x00"])
async def test_unknown_malformed_and_foreign_ids_have_the_same_error(world: World, account_id: str) -> None:
    mine = await world.connect("u1")
    messages = set()
    for wanted_id, user in ((account_id, "u1"), (mine.account_id, "u2")):
        with pytest.raises(NotFound) as caught:
            await world.accounts.get(wanted_id, user)
        messages.add((caught.value.message, caught.value.reason))
    assert len(messages) == 1


async def test_of_two_writers_with_one_etag_only_one_succeeds(world: World) -> None:
    account = await world.connect()
    etag = etag_of(account)
    await world.accounts.update(account.account_id, "u1", Changes(sandbox=True), etag)
    for late in (
        world.accounts.update(account.account_id, "u1", Changes(sandbox=False), etag),
        world.accounts.set_active(account.account_id, "u1", etag, active=False),
        world.accounts.remove(account.account_id, "u1", etag),
    ):
        with pytest.raises(Conflict):
            await late
    assert (await world.accounts.get(account.account_id, "u1")).sandbox


async def test_a_deleted_account_can_be_undeleted(world: World) -> None:
    account = await world.connect()
    deleted = await world.accounts.set_active(account.account_id, "u1", "", active=False)
    assert deleted.state is State.INACTIVE
    assert deleted.revision > account.revision
    with pytest.raises(PreconditionFailed) as caught:
        await world.accounts.secrets(account.account_id)
    assert caught.value.reason is Reason.ACCOUNT_INACTIVE
    assert (await world.accounts.set_active(account.account_id, "u1", "", active=True)).state is State.ACTIVE
    await world.accounts.set_active(account.account_id, "u1", "", active=False)
    assert (await world.connect()).state is State.ACTIVE


async def test_the_removal_of_an_account_is_published(world: World) -> None:
    account = await world.connect()
    world.announced.clear()
    await world.accounts.remove(account.account_id, "u1", "")
    assert world.announced == [account.account_id]
    with pytest.raises(NotFound):
        await world.accounts.get(account.account_id, "u1")


async def test_a_late_refusal_cannot_revoke_a_fresh_authorization(world: World) -> None:
    account = await world.connect()
    renewed = await world.accounts.rotate_refresh_token(account.account_id, account.revision, SecretStr("Atzr|2"))
    with pytest.raises(Conflict):
        await world.accounts.mark_revoked(account.account_id, account.revision)
    assert (await world.accounts.get(account.account_id, "u1")).state is State.ACTIVE
    revoked = await world.accounts.mark_revoked(account.account_id, renewed.revision)
    assert revoked.state is State.AUTHORIZATION_REVOKED
    assert (await world.accounts.mark_revoked(account.account_id, renewed.revision)) == revoked
    with pytest.raises(PreconditionFailed) as caught:
        await world.accounts.secrets(account.account_id)
    assert caught.value.reason is Reason.AUTHORIZATION_REVOKED


async def test_a_new_refresh_token_makes_a_revoked_account_active(world: World) -> None:
    account = await world.connect()
    await world.accounts.mark_revoked(account.account_id, account.revision)
    healed = await world.accounts.update(account.account_id, "u1", Changes(refresh_token=SecretStr("Atzr|2")), "")
    assert healed.state is State.ACTIVE


async def test_a_user_cannot_replace_the_secret_of_a_shared_application(world: World) -> None:
    account = await world.connect()
    application, secrets = world.store.work.applications.rows[account.application_id]
    world.store.work.applications.rows[account.application_id] = (replace(application, owner_user_id=""), secrets)
    with pytest.raises(NotAllowed):
        await world.accounts.update(account.account_id, "u1", Changes(client_secret=SecretStr("x")), "")


async def test_a_list_is_in_order_and_filtered(world: World) -> None:
    for index in range(5):
        world.time += timedelta(seconds=1)
        await world.connect("u1", f"SELLER{index}", marketplace="DE" if index % 2 else "US")
    await world.connect("u2", "OTHER99")
    mine = await world.accounts.list(Filter(user_id="u1"), None, 10)
    assert [account.amazon_seller_id for account in mine] == [f"SELLER{index}" for index in range(5)]
    german = await world.accounts.list(Filter(user_id="u1", marketplaces=("DE",)), None, 10)
    assert [account.amazon_seller_id for account in german] == ["SELLER1", "SELLER3"]


async def test_a_key_of_another_transaction_is_found_on_the_next_attempt(world: World) -> None:
    first: list[Account] = []

    async def taken_once(account: Account, refresh_token: SecretStr) -> None:
        first.append(account)
        raise DuplicateKey

    world.store.work.accounts.add = taken_once  # type: ignore[method-assign]  # (rolled back with the fake's transaction)
    account = await world.connect()
    assert first
    assert first[0].account_id != account.account_id


async def test_repeated_conflicts_end_as_unavailable(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def taken(_: FakeAccounts, account: Account, refresh_token: SecretStr) -> None:
        raise DuplicateKey

    monkeypatch.setattr(FakeAccounts, "add", taken)
    with pytest.raises(Unavailable) as caught:
        await world.connect()
    assert caught.value.retry_after


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        (Changes(marketplace_ids=("NOPE",)), "account.marketplace_ids[0]"),
        (Changes(marketplace_ids=("ATVPDKIKX0DER",) * 2), "account.marketplace_ids[1]"),
        (Changes(authorization_expire_time=datetime(2026, 11, 22, tzinfo=UTC)), "account.authorization_expire_time"),
    ],
)
async def test_a_bad_new_value_is_named_by_its_path_in_the_request(world: World, changes: Changes, field: str) -> None:
    account = await world.connect()
    with pytest.raises(InvalidRequest) as caught:
        await world.accounts.update(account.account_id, "", changes, "")
    assert [violation.field for violation in caught.value.violations] == [field]
    assert await world.accounts.get(account.account_id, "") == account


@pytest.mark.parametrize("field", ["create_time", "update_time"])
async def test_a_creation_time_in_the_future_is_refused(world: World, field: str) -> None:
    origin = Origin(**{field: datetime(9999, 6, 1, tzinfo=UTC)})
    with pytest.raises(InvalidRequest) as caught:
        async with world.store.writing() as work:
            await world.accounts.create(work, connection(), "app", origin)
    assert caught.value.violations[0].field == field
