"""The rules of LWA clients, on a store in memory: the operator's shared ones, and each user's own."""

from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from pydantic import SecretStr
from sellergate_account.accounts import Connection
from sellergate_account.applications import (
    ApplicationChanges,
    NewApplication,
)
from sellergate_account.model import Application, etag_of
from sellergate_account.secrets.rotation import OLD_SECRET_LIFE, SECRET_LIFE, NewSecret
from sellergate_common.errors import Conflict, InvalidRequest, NotAllowed, NotFound, Reason

from tests.fakes.account import Domain, FakeStore

OPERATOR = ""


class World(Domain):
    store: FakeStore

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 23, tzinfo=UTC)
        numbers = count(1)
        super().__init__(FakeStore(), lambda: self.time, lambda: f"app-{next(numbers)}", lambda: "external")

    async def create(
        self, user: str = "u1", owner: str = "", client: str = "amzn1.client", **given: object
    ) -> Application:
        new = NewApplication(owner, SecretStr(client), SecretStr("secret-1"), **given)  # type: ignore[arg-type]
        return await self.applications.create(new, user)


@pytest.fixture
def world() -> World:
    return World()


async def test_a_user_creates_its_own_and_an_operator_any_application(world: World) -> None:
    mine = await world.create("u1", owner="u2", name="Mine", redirect_uris=("https://a.example/cb",), draft=True)
    assert (mine.owner_user_id, mine.name, mine.client_id_hint, mine.draft) == ("u1", "Mine", "ient", True)
    assert (await world.create(OPERATOR)).owner_user_id == ""
    assert (await world.create(OPERATOR, owner="u2")).owner_user_id == "u2"
    with pytest.raises(InvalidRequest) as caught:
        await world.create("u1")
    assert caught.value.violations[0].field == "lwa_client_id"


@pytest.mark.parametrize(
    "uri",
    [
        "http://a.example/cb",
        "https://a.example/cb#x",
        "https://a.example/cb#",
        "ftp://a",
        "https://",
        "https://[::1/cb",
        "https://a.example:99999/cb",
        "https://user:password@a.example/cb",
        "https://a.example\\@b.example/cb",
        "https://a.example/c b",
        "https://*.example/cb",
        "https://a.example/ü",
        "javascript:alert(1)",
        "https://a.example/cb",
    ],
)
async def test_redirect_uris_that_amazon_would_refuse_are_named(world: World, uri: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await world.create(redirect_uris=("https://a.example/cb", uri))
    assert caught.value.violations[0].field == "application.redirect_uris[1]"
    assert not world.store.work.applications.rows
    made = await world.create(redirect_uris=("http://localhost:3001/cb", "http://[::1]/cb?a=%20&b"))
    changes = ApplicationChanges(redirect_uris=("https://a.example/cb", uri))
    with pytest.raises(InvalidRequest):
        await world.applications.update(made.application_id, "u1", changes, "")


async def test_a_user_sees_its_own_and_the_shared_ones(world: World) -> None:
    shared, mine, foreign = await world.create(OPERATOR), await world.create("u1"), await world.create("u2")
    assert list(await world.applications.list("u1", None, 9)) == [shared, mine]
    assert list(await world.applications.list(OPERATOR, None, 9)) == [shared, mine, foreign]
    assert await world.applications.get(shared.application_id, "u1") == shared
    for application_id in (foreign.application_id, "no-such"):
        with pytest.raises(NotFound) as caught:
            await world.applications.get(application_id, "u1")
        assert caught.value.reason is Reason.APPLICATION_NOT_FOUND


async def test_a_user_changes_only_its_own(world: World) -> None:
    shared, mine, foreign = await world.create(OPERATOR), await world.create("u1"), await world.create("u2")
    changes = ApplicationChanges(name="New", secret_expire_time=world.time + timedelta(days=30))
    changed = await world.applications.update(mine.application_id, "u1", changes, etag_of(mine))
    assert (changed.name, changed.version, changed.revision) == ("New", 2, 1)
    assert await world.applications.update(mine.application_id, "u1", changes, "") == changed
    with pytest.raises(Conflict):
        await world.applications.update(mine.application_id, "u1", changes, etag_of(mine))
    for act in (world.applications.update(shared.application_id, "u1", changes, ""), _rotate(world, shared, "u1")):
        with pytest.raises(NotAllowed):
            await act
    for act in (world.applications.update(foreign.application_id, "u1", changes, ""), _rotate(world, foreign, "u1")):
        with pytest.raises(NotFound):
            await act
    assert (await world.applications.update(shared.application_id, OPERATOR, changes, "")).name == "New"


async def test_a_rotation_keeps_the_old_secret_until_it_ends(world: World) -> None:
    made = await world.create()
    rotated = await _rotate(world, made, "u1")
    assert rotated.previous_secret_expire_time == world.time + OLD_SECRET_LIFE
    assert rotated.secret_expire_time == world.time + SECRET_LIFE
    _, secrets = await world.applications.secrets(made.application_id)
    assert (secrets.client_secret, secrets.previous_client_secret) == (SecretStr("secret-2"), SecretStr("secret-1"))
    assert await _rotate(world, made, "u1") == rotated, "the same secret again changes nothing"
    world.time += OLD_SECRET_LIFE
    assert (await world.applications.secrets(made.application_id))[1].previous_client_secret is None


async def test_the_operators_application_is_found_by_its_client_and_users_own_are_not(world: World) -> None:
    await world.create("u1")
    with pytest.raises(NotFound) as caught:
        await world.applications.find(SecretStr("amzn1.client"))
    assert "amzn1" not in f"{caught.value} {caught.value.resource}"
    shared = await world.create(OPERATOR)
    assert await world.applications.find(SecretStr("amzn1.client")) == shared


async def test_amazons_own_times_are_stored_where_given(world: World) -> None:
    made = await world.create()
    old, new = world.time + timedelta(days=3), world.time + timedelta(days=90)
    rotated, _ = await world.applications.rotate(
        made.application_id, OPERATOR, NewSecret(SecretStr("secret-2"), new, old)
    )
    assert (rotated.previous_secret_expire_time, rotated.secret_expire_time) == (old, new)


async def test_a_secret_ends_in_the_future_and_after_the_one_before_it(world: World) -> None:
    made = await world.create()
    day = timedelta(days=1)
    for old, new, field in (
        (None, world.time, "secret_expire_time"),
        (world.time + 5 * day, world.time + 4 * day, "old_secret_expire_time"),
        (world.time + SECRET_LIFE, None, "old_secret_expire_time"),
    ):
        with pytest.raises(InvalidRequest) as caught:
            await world.applications.rotate(made.application_id, OPERATOR, NewSecret(SecretStr("secret-2"), new, old))
        assert caught.value.violations[0].field == field
    with pytest.raises(InvalidRequest) as caught:
        await world.create("u2", secret_expire_time=world.time - day)
    assert caught.value.violations[0].field == "application.secret_expire_time"
    late, _ = await world.applications.rotate(
        made.application_id, OPERATOR, NewSecret(SecretStr("secret-2"), old_until=world.time - day)
    )
    assert late.revision == 2, "Amazon's message arrived late; the new secret is stored nevertheless"
    assert (await world.applications.secrets(made.application_id))[1].previous_client_secret is None


async def test_an_application_in_use_is_not_removed(world: World) -> None:
    made = await world.create()
    connection = Connection("u1", "SELLER1", "US", made.application_id, refresh_token=SecretStr("Atzr|1"))
    account, _ = await world.accounts.upsert(connection)
    with pytest.raises(InvalidRequest, match="accounts use"):
        await world.applications.remove(made.application_id, "u1", "")
    await world.accounts.remove(account.account_id, "u1", "")
    with pytest.raises(Conflict):
        await world.applications.remove(made.application_id, "u1", "v99")
    await world.applications.remove(made.application_id, "u1", etag_of(made))
    with pytest.raises(NotFound):
        await world.applications.get(made.application_id, "u1")


async def _rotate(world: World, application: Application, user: str) -> Application:
    return (await world.applications.rotate(application.application_id, user, NewSecret(SecretStr("secret-2"))))[0]
