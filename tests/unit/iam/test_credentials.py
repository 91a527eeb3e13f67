"""The rules of AWS credentials, on fakes."""

import asyncio
from dataclasses import dataclass, field

import pytest
from pydantic import SecretStr
from sellergate_common.context import Caller
from sellergate_common.errors import InvalidRequest, NotAllowed
from sellergate_iam.credentials import Credentials
from sellergate_iam.ports import AwsCredentials, CredentialsKey, Role, Session

from tests.fakes.common import FakeCache

OPERATOR = Caller("operator")
ARN = "arn:aws:iam::123456789012:role/sp-api-1"


class FakeAccounts:
    def __init__(self) -> None:
        self.calls: list[int] = []

    async def role(self, account_id: str, at_least: int = 0) -> Role:
        self.calls.append(at_least)
        return Role(ARN, "ext-1", "eu-west-1", account_id, 7)


@dataclass
class FakeSts:
    now: list[float]
    calls: list[tuple[Role, Session]] = field(default_factory=list)

    async def assume(self, role: Role, session: Session) -> AwsCredentials:
        self.calls.append((role, session))
        await asyncio.sleep(0)
        key = SecretStr(f"ASIA{len(self.calls)}")
        return AwsCredentials(key, SecretStr("s"), SecretStr("t"), self.now[0] + session.seconds, session.seconds)


class World:
    def __init__(self, *allowed: str) -> None:
        self.now = [1_000_000.0]
        self.sts = FakeSts(self.now)
        self.cache: FakeCache[CredentialsKey, AwsCredentials] = FakeCache(
            lambda found: found.access_key_id, lambda: self.now[0]
        )
        self.accounts = FakeAccounts()
        self.credentials = Credentials(self.accounts, self.sts, self.cache, allowed)


@pytest.fixture
def world() -> World:
    return World()


async def test_credentials_are_cached_until_shortly_before_they_expire(world: World) -> None:
    found = await asyncio.gather(*(world.credentials.for_account("a", "", None) for _ in range(20)))
    assert len(set(found)) == len(world.sts.calls) == 1
    world.now[0] += 3600 - 60
    assert await world.credentials.for_account("a", "", None) == found[0]
    world.now[0] += 1
    assert await world.credentials.for_account("a", "", None) != found[0]


async def test_credentials_have_the_revision_of_their_role(world: World) -> None:
    for name in ("", "mine"):
        assert (await world.credentials.for_account("a", name, None, 6)).revision == 7
    assert world.accounts.calls == [6, 6]
    assert (await world.credentials.for_role(ARN, "eu-west-1", "", None, OPERATOR)).revision == 0


async def test_the_external_id_and_the_session_name_are_always_sent(world: World) -> None:
    await world.credentials.for_account("a" * 64, "", None)
    role, session = world.sts.calls[0]
    assert (role.external_id, role.region, session.seconds) == ("ext-1", "eu-west-1", 3600)
    assert session.name == ("sellergate-" + "a" * 64)[:64]


async def test_a_callers_own_session_is_not_shared(world: World) -> None:
    await world.credentials.for_account("a", "mine", None)
    await world.credentials.for_account("a", "", 900)
    assert [session for _, session in world.sts.calls] == [Session("mine", 3600), Session("sellergate-a", 900)]
    assert await world.cache.count() == 0


@pytest.mark.parametrize("seconds", [0, 899, 43_201, -1])
async def test_a_duration_out_of_bounds_is_refused_by_field(world: World, seconds: int) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await world.credentials.for_account("a", "", seconds)
    assert caught.value.violations[0].field == "duration"
    assert not world.sts.calls


async def test_roles_that_are_not_allowed_are_refused() -> None:
    world = World("arn:aws:iam::*:role/other-*")
    with pytest.raises(NotAllowed):
        await world.credentials.for_account("a", "", None)
    with pytest.raises(NotAllowed):
        await world.credentials.for_role(ARN, "us-east-1", "", None, OPERATOR)
    assert not world.sts.calls
    await World("arn:aws:iam::*:role/sp-api-*").credentials.for_account("a", "", None)


async def test_a_late_invalidation_does_not_drop_newer_credentials(world: World) -> None:
    old = await world.credentials.for_account("a", "", None)
    assert await world.credentials.invalidate("a", old.access_key_id)
    new = await world.credentials.for_account("a", "", None)
    assert not await world.credentials.invalidate("a", old.access_key_id)
    assert await world.credentials.for_account("a", "", None) == new


async def test_a_callers_own_region_reaches_sts_and_is_not_shared(world: World) -> None:
    await world.credentials.for_account("a", "", None, region="ap-southeast-2")
    assert [role.region for role, _ in world.sts.calls] == ["ap-southeast-2"]
    assert await world.cache.count() == 0
    await world.credentials.for_account("a", "", None, region="eu-west-1")
    await world.credentials.for_account("a", "", None)
    assert [role.region for role, _ in world.sts.calls] == ["ap-southeast-2", "eu-west-1"], (
        "the account's region is the default"
    )


async def test_a_bare_role_is_assumed_once_per_caller(world: World) -> None:
    requests = [world.credentials.for_role(ARN, "us-east-1", "", None, OPERATOR) for _ in range(100)]
    assert len(set(await asyncio.gather(*requests))) == 1
    assert world.sts.calls == [(Role(ARN, "", "us-east-1"), Session("sellergate-operator", 3600))]
    counts, entries = await world.credentials.stats()
    assert (counts.fetches, counts.misses, entries) == (1, 100, 1)
    assert await world.credentials.clear("") == 1


async def test_each_parameter_and_caller_of_a_bare_role_has_its_own_entry(world: World) -> None:
    given = [
        (ARN, "us-east-1", "", None, OPERATOR),
        (ARN + "-b", "us-east-1", "", None, OPERATOR),
        (ARN, "eu-west-1", "", None, OPERATOR),
        (ARN, "us-east-1", "mine", None, OPERATOR),
        (ARN, "us-east-1", "", 900, OPERATOR),
        (ARN, "us-east-1", "", None, Caller("client/billing")),
        (ARN, "us-east-1", "", None, Caller("operator", "u1")),
    ]
    for _ in range(2):
        found = [await world.credentials.for_role(*one) for one in given]
        assert len(set(found)) == len(world.sts.calls) == len(given)
