"""What the token domain decides, on fakes."""

import asyncio
from dataclasses import dataclass, field

import pytest
from pydantic import SecretStr
from sellergate_common.errors import InvalidRequest, PreconditionFailed, Reason, SellergateError, Unavailable
from sellergate_token.exchanges import Exchanges
from sellergate_token.ports import AccessToken, AccountGrant, AccountView, Grant, LwaClient, RefreshToken
from sellergate_token.tokens import LARGEST_MIN_LIFETIME, Tokens, fingerprint_of

from tests.fakes.caches import FakeCache

LIFE = 3600.0


@dataclass
class FakeAccounts:
    revision: int = 1
    revoked: list[AccountView] = field(default_factory=list)

    async def view(self, account_id: str) -> AccountView:
        return AccountView(account_id, self.revision)

    async def grant(self, account_id: str) -> AccountGrant:
        token = RefreshToken(SecretStr("Atzr|1"))
        return AccountGrant(AccountView(account_id, self.revision), LwaClient(SecretStr("c"), SecretStr("s")), token)

    async def mark_revoked(self, account: AccountView) -> None:
        self.revoked.append(account)


@dataclass
class FakeLwa:
    now: list[float]
    exchanges: int = 0
    refusal: SellergateError | None = None
    sends: SecretStr | None = None

    async def exchange(self, client_id: SecretStr, client_secret: SecretStr, grant: Grant) -> AccessToken:
        self.exchanges += 1
        await asyncio.sleep(0)
        if self.refusal:
            raise self.refusal
        return AccessToken(SecretStr(f"Atza|{self.exchanges}"), self.now[0] + LIFE, self.sends)


class World:
    def __init__(self) -> None:
        self.now = [1_000_000.0]
        self.accounts = FakeAccounts()
        self.lwa = FakeLwa(self.now)
        self.cache: FakeCache[AccountView, AccessToken] = FakeCache(lambda token: fingerprint_of(token.value))
        self.tokens = Tokens(self.accounts, Exchanges(self.lwa), self.cache, lambda: self.now[0])


@pytest.fixture
def world() -> World:
    return World()


async def test_one_exchange_serves_until_shortly_before_the_end(world: World) -> None:
    first, cached = await world.tokens.for_account("a", None)
    assert not cached
    world.now[0] += LIFE - 60
    assert await world.tokens.for_account("a", None) == (first, True)
    world.now[0] += 1
    second, cached = await world.tokens.for_account("a", None)
    assert (second.value != first.value, cached, world.lwa.exchanges) == (True, False, 2)


async def test_a_caller_may_ask_for_more_life(world: World) -> None:
    await world.tokens.for_account("a", None)
    world.now[0] += 1800
    assert (await world.tokens.for_account("a", 1700))[1]
    token, cached = await world.tokens.for_account("a", 1900)
    assert not cached
    assert token.expire_time - world.now[0] >= 1900


@pytest.mark.parametrize("asked", [-1.0, LARGEST_MIN_LIFETIME + 1, 1e9])
async def test_more_life_than_a_token_has_cannot_be_asked_for(world: World, asked: float) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await world.tokens.for_account("a", asked)
    assert caught.value.violations[0].field == "min_lifetime"
    assert world.lwa.exchanges == 0


async def test_many_cold_callers_make_one_exchange(world: World) -> None:
    found = await asyncio.gather(*(world.tokens.for_account("a", None) for _ in range(50)))
    assert {token.value for token, _ in found} == {SecretStr("Atza|1")}
    counts, entries = await world.tokens.stats()
    assert (counts.fetches, counts.misses, counts.shared_waits, entries) == (1, 50, 49, 1)


async def test_accounts_and_revisions_never_share_a_token(world: World) -> None:
    values = {(await world.tokens.for_account(account, None))[0].value for account in ("a", "b")}
    world.accounts.revision = 2
    values.add((await world.tokens.for_account("a", None))[0].value)
    assert len(values) == 3


async def test_a_revoked_grant_marks_the_account_once_and_is_told(world: World) -> None:
    world.lwa.refusal = PreconditionFailed("revoked", reason=Reason.AUTHORIZATION_REVOKED)
    with pytest.raises(PreconditionFailed):
        await world.tokens.for_account("a", None)
    assert world.accounts.revoked == [AccountView("a", 1)]
    assert world.lwa.exchanges == 1


@pytest.mark.parametrize(
    "refusal", [PreconditionFailed("client", reason=Reason.LWA_CLIENT_REJECTED), Unavailable("LWA is down")]
)
async def test_other_failures_mark_nothing(world: World, refusal: SellergateError) -> None:
    world.lwa.refusal = refusal
    with pytest.raises(type(refusal)):
        await world.tokens.for_account("a", None)
    assert not world.accounts.revoked
    counts, _ = await world.tokens.stats()
    assert counts.failures == 1


async def test_a_late_refusal_cannot_drop_a_newer_token(world: World) -> None:
    old, _ = await world.tokens.for_account("a", None)
    assert await world.tokens.invalidate("a", fingerprint_of(old.value))
    new, _ = await world.tokens.for_account("a", None)
    assert not await world.tokens.invalidate("a", fingerprint_of(old.value))
    assert await world.tokens.for_account("a", None) == (new, True)


async def test_clearing_counts_what_it_drops(world: World) -> None:
    for account in ("a", "b", "c"):
        await world.tokens.for_account(account, None)
    assert await world.tokens.clear("a") == 1
    assert await world.tokens.clear("a") == 0
    assert await world.tokens.clear("") == 2


async def test_inline_credentials_get_a_new_refresh_token_only_when_there_is_one_and_nothing_is_kept(
    world: World,
) -> None:
    mine = LwaClient(SecretStr("c"), SecretStr("s")), RefreshToken(SecretStr("Atzr|mine"))
    world.lwa.sends = SecretStr("Atzr|mine")
    assert (await world.tokens.for_client(*mine)).refresh_token is None
    world.lwa.sends = SecretStr("Atzr|new")
    assert (await world.tokens.for_client(*mine)).refresh_token == SecretStr("Atzr|new")
    assert await world.cache.count() == 0
