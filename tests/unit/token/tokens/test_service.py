"""The rules of access tokens, on fakes."""

import asyncio
import time
from dataclasses import dataclass, field, replace

import pytest
from pydantic import SecretStr
from sellergate_common.cache.entries import Lookup
from sellergate_common.context import Caller
from sellergate_common.errors import Conflict, InvalidRequest, PreconditionFailed, Reason, SellergateError, Unavailable
from sellergate_token.ports import (
    AccessToken,
    AccountGrant,
    AccountView,
    ApplicationView,
    Grant,
    LwaClient,
    RefreshToken,
    TokenKey,
)
from sellergate_token.tokens.exchanges import Exchanges
from sellergate_token.tokens.service import LARGEST_MIN_LIFETIME, Tokens, fingerprint_of

from tests.fakes.common import FakeCache

LIFE = 3600.0


@dataclass
class FakeAccounts:
    revision: int = 1
    revoked: list[AccountView] = field(default_factory=list)
    rotated: list[SecretStr] = field(default_factory=list)
    calls: list[int] = field(default_factory=list)
    previous: SecretStr | None = None
    known: bool = True
    problem: SellergateError | None = None

    def has_view(self, account_id: str) -> bool:
        return self.known

    async def view(self, account_id: str, at_least: int = 0) -> AccountView:
        self.calls.append(at_least)
        if self.problem:
            raise self.problem
        return AccountView(account_id, self.revision)

    async def grant(self, account_id: str) -> AccountGrant:
        if self.problem:
            raise self.problem
        token = RefreshToken(SecretStr("Atzr|1"))
        return AccountGrant(AccountView(account_id, self.revision), await self.client("app"), token)

    def forget(self, account_id: str) -> None:
        pass

    async def application(self, application_id: str, scope: str) -> ApplicationView:
        return ApplicationView(application_id, "v1", scope)

    async def client(self, application_id: str) -> LwaClient:
        return LwaClient(SecretStr(f"client of {application_id}"), SecretStr("s"), self.previous)

    async def rotate(self, account: AccountView, refresh_token: SecretStr) -> AccountView:
        self.rotated.append(refresh_token)
        self.revision += 1
        return AccountView(account.account_id, self.revision)

    async def mark_revoked(self, account: AccountView) -> None:
        self.revoked.append(account)


@dataclass
class FakeLwa:
    now: list[float]
    exchanges: int = 0
    life: float = LIFE
    secrets: list[SecretStr] = field(default_factory=list)
    refused_secrets: tuple[str, ...] = ()
    refusal: SellergateError | None = None
    sends: SecretStr | None = None

    async def exchange(self, client_id: SecretStr, client_secret: SecretStr, grant: Grant) -> AccessToken:
        self.exchanges += 1
        self.secrets.append(client_secret)
        await asyncio.sleep(0)
        if client_secret.get_secret_value() in self.refused_secrets:
            raise PreconditionFailed("client", reason=Reason.LWA_CLIENT_REJECTED)
        if self.refusal:
            raise self.refusal
        return AccessToken(SecretStr(f"Atza|{self.exchanges}"), self.now[0] + self.life, self.life, self.sends)


class World:
    def __init__(self) -> None:
        self.now = [1_000_000.0]
        self.accounts = FakeAccounts()
        self.lwa = FakeLwa(self.now)
        self.cache: FakeCache[TokenKey, AccessToken] = FakeCache(
            lambda token: fingerprint_of(token.value), lambda: self.now[0]
        )
        self.tokens = Tokens(self.accounts, Exchanges(self.lwa, time.monotonic), self.cache, lambda: self.now[0])


@pytest.fixture
def world() -> World:
    return World()


async def test_a_token_is_cached_until_shortly_before_it_expires(world: World) -> None:
    first = await world.tokens.for_account("a", None)
    assert not first.cached
    world.now[0] += LIFE - 60
    assert await world.tokens.for_account("a", None) == Lookup(first.value, cached=True)
    world.now[0] += 1
    second = await world.tokens.for_account("a", None)
    assert (second.value.value != first.value.value, second.cached, world.lwa.exchanges) == (True, False, 2)


async def test_a_caller_may_request_a_longer_lifetime(world: World) -> None:
    await world.tokens.for_account("a", None)
    world.now[0] += 1800
    assert (await world.tokens.for_account("a", 1700)).cached
    found = await world.tokens.for_account("a", 1900)
    assert not found.cached
    assert found.value.expire_time - world.now[0] >= 1900


async def test_short_lifetimes_have_a_margin_of_a_tenth(world: World) -> None:
    world.lwa.life = 20.0
    await world.tokens.for_account("a", None)
    world.now[0] += 17.9
    assert (await world.tokens.for_account("a", None)).cached
    with pytest.raises(InvalidRequest, match="the 20 s for which"):
        await world.tokens.for_account("a", 25)
    world.now[0] += 0.2
    assert not (await world.tokens.for_account("a", None)).cached
    assert world.lwa.exchanges == 2


@pytest.mark.parametrize("min_lifetime", [-1.0, LARGEST_MIN_LIFETIME + 1, 1e9])
async def test_a_lifetime_above_the_bound_is_refused(world: World, min_lifetime: float) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await world.tokens.for_account("a", min_lifetime)
    assert caught.value.violations[0].field == "min_lifetime"
    assert world.lwa.exchanges == 0


async def test_simultaneous_callers_share_one_exchange(world: World) -> None:
    found = await asyncio.gather(*(world.tokens.for_account("a", None) for _ in range(50)))
    assert {one.value.value for one in found} == {SecretStr("Atza|1")}
    counts, entries = await world.tokens.stats()
    assert (counts.fetches, counts.misses, counts.shared_waits, entries) == (1, 50, 49, 1)


async def test_a_token_has_the_revision_of_its_grant(world: World) -> None:
    world.accounts.revision = 7
    assert (await world.tokens.for_account("a", None, 5)).value.revision == 7
    assert (await world.tokens.for_account("a", None, 7)).value.revision == 7
    assert world.accounts.calls == [5, 7]
    assert (await world.tokens.for_application("app", "scope", None)).value.revision == 0


async def test_accounts_and_revisions_never_share_a_token(world: World) -> None:
    values = {(await world.tokens.for_account(account, None)).value.value for account in ("a", "b")}
    world.accounts.revision = 2
    values.add((await world.tokens.for_account("a", None)).value.value)
    assert len(values) == 3


@pytest.mark.parametrize("reason", [Reason.AUTHORIZATION_REVOKED, Reason.AUTHORIZATION_MISMATCH])
async def test_a_refused_grant_marks_the_account_once_and_is_reported(world: World, reason: Reason) -> None:
    world.lwa.refusal = PreconditionFailed("refused", reason=reason)
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


async def test_a_late_invalidation_does_not_drop_a_newer_token(world: World) -> None:
    old = (await world.tokens.for_account("a", None)).value
    assert await world.tokens.invalidate("a", fingerprint_of(old.value))
    new = (await world.tokens.for_account("a", None)).value
    assert not await world.tokens.invalidate("a", fingerprint_of(old.value))
    assert await world.tokens.for_account("a", None) == Lookup(new, cached=True)


async def test_an_applications_own_token_is_dropped_by_its_fingerprint(world: World) -> None:
    scope = "sellingpartnerapi::notifications"
    old = (await world.tokens.for_application("app", scope, None)).value
    other = (await world.tokens.for_application("app", "sellingpartnerapi::migration", None)).value
    assert await world.tokens.invalidate_grantless("app", scope, fingerprint_of(old.value))
    new = (await world.tokens.for_application("app", scope, None)).value
    assert not await world.tokens.invalidate_grantless("app", scope, fingerprint_of(old.value))
    assert await world.tokens.for_application("app", scope, None) == Lookup(new, cached=True)
    assert await world.tokens.for_application("app", "sellingpartnerapi::migration", None) == Lookup(other, cached=True)


async def test_clearing_returns_the_number_of_dropped_tokens(world: World) -> None:
    for account in ("a", "b", "c"):
        await world.tokens.for_account(account, None)
    assert await world.tokens.clear("a") == 1
    assert await world.tokens.clear("a") == 0
    assert await world.tokens.clear("") == 2


def own(client_id: str = "c", secret: str = "s", refresh_token: str = "Atzr|mine") -> tuple[LwaClient, RefreshToken]:
    return LwaClient(SecretStr(client_id), SecretStr(secret)), RefreshToken(SecretStr(refresh_token))


BILLING, REPORTS = Caller("client/billing"), Caller("client/reports")


async def test_inline_credentials_are_exchanged_once_per_caller(world: World) -> None:
    world.lwa.sends = SecretStr("Atzr|mine")
    found = await asyncio.gather(*(world.tokens.for_client(*own(), BILLING, None) for _ in range(100)))
    assert {(one.value.value.get_secret_value(), one.value.refresh_token) for one in found} == {("Atza|1", None)}
    assert (await world.tokens.for_client(*own(), BILLING, None)).cached
    counts, entries = await world.tokens.stats()
    assert (counts.fetches, counts.misses, counts.hits, entries) == (1, 100, 1, 1)
    assert await world.tokens.clear("") == 1
    assert not (await world.tokens.for_client(*own(), BILLING, None)).cached


async def test_another_caller_or_other_credentials_never_get_the_token(world: World) -> None:
    given = [
        (*own(), BILLING),
        (*own(), REPORTS),
        (*own(), Caller("client/billing", "u1")),
        (*own(client_id="cs", secret=""), BILLING),
        (*own(client_id="c2"), BILLING),
        (*own(secret="s2"), BILLING),
        (*own(refresh_token="Atzr|other"), BILLING),
    ]
    for _ in range(2):
        found = [(await world.tokens.for_client(*one, None)).value.value for one in given]
        assert len(set(found)) == world.lwa.exchanges == len(given)


async def test_a_rotated_refresh_token_reaches_every_call_of_its_caller(world: World) -> None:
    world.lwa.sends = SecretStr("Atzr|new")
    together = await asyncio.gather(*(world.tokens.for_client(*own(), BILLING, None) for _ in range(5)))
    later = await world.tokens.for_client(*own(), BILLING, None)
    assert [one.value.refresh_token for one in (*together, later)] == [SecretStr("Atzr|new")] * 6
    assert later.cached
    renewed = await world.tokens.for_client(*own(refresh_token="Atzr|new"), BILLING, None)
    assert (renewed.value.value, renewed.cached, renewed.value.refresh_token) == (later.value.value, True, None)
    assert world.lwa.exchanges == 1


async def test_tokens_of_inline_credentials_have_lifetimes_and_can_be_invalidated(world: World) -> None:
    first = await world.tokens.for_client(*own(), BILLING, None)
    world.now[0] += 1800
    assert (await world.tokens.for_client(*own(), BILLING, 1700)).cached
    second = await world.tokens.for_client(*own(), BILLING, 1900)
    assert not second.cached
    with pytest.raises(InvalidRequest):
        await world.tokens.for_client(*own(), BILLING, 1e9)
    old, new = fingerprint_of(first.value.value), fingerprint_of(second.value.value)
    assert not await world.tokens.invalidate_callers(*own(), BILLING, old)
    assert not await world.tokens.invalidate_callers(*own(), REPORTS, new)
    assert await world.tokens.invalidate_callers(*own(), BILLING, new)
    assert not (await world.tokens.for_client(*own(), BILLING, None)).cached


async def test_each_application_and_scope_has_its_own_token(world: World) -> None:
    requests = [("app-1", "notifications"), ("app-2", "notifications"), ("app-1", "rotation")]
    found = [(await world.tokens.for_application(*one, None)).value for one in requests]
    assert len({token.value for token in found}) == 3
    for one, token in zip(requests, found, strict=True):
        assert (await world.tokens.for_application(*one, None)) == Lookup(token, cached=True)
    assert world.lwa.exchanges == 3


async def test_the_previous_secret_is_tried_if_the_new_one_is_refused(world: World) -> None:
    world.lwa.refused_secrets = ("s",)
    with pytest.raises(PreconditionFailed) as caught:
        await world.tokens.for_account("a", None)
    assert caught.value.reason is Reason.LWA_CLIENT_REJECTED
    world.accounts.previous = SecretStr("old")
    assert (await world.tokens.for_account("a", None)).value
    # The refused secret is known, and is not sent to Amazon again for some seconds.
    assert [secret.get_secret_value() for secret in world.lwa.secrets] == ["s", "old"]
    assert world.tokens.counts().failures == 1


async def test_a_refused_secret_pauses_and_its_replacement_is_tried_at_once(world: World) -> None:
    now, lwa = [0.0], world.lwa
    exchanges = Exchanges(lwa, lambda: now[0])
    client, token = LwaClient(SecretStr("c"), SecretStr("bad")), RefreshToken(SecretStr("Atzr|1"))
    lwa.refused_secrets = ("bad",)
    for _ in range(10):
        with pytest.raises(PreconditionFailed) as caught:
            await exchanges.exchange(client, token)
        assert caught.value.reason is Reason.LWA_CLIENT_REJECTED
    assert lwa.exchanges == 1
    await exchanges.exchange(replace(client, client_secret=SecretStr("good")), token)
    now[0] += 5
    lwa.refused_secrets = ()
    await exchanges.exchange(client, token)
    assert lwa.exchanges == 3


async def test_a_changed_refresh_token_is_stored_before_a_caller_gets_the_access_token(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.lwa.sends = SecretStr("Atzr|2")
    found = await world.tokens.for_account("a", None)
    assert world.accounts.rotated == [SecretStr("Atzr|2")]
    assert found.value.refresh_token is None
    # The token also belongs to the revision that the new refresh token has created.
    assert (await world.tokens.for_account("a", None, 2)) == Lookup(replace(found.value, revision=2), cached=True)
    assert world.lwa.exchanges == 1

    async def down(account: AccountView, refresh_token: SecretStr) -> AccountView:
        raise Unavailable("the account service is down")

    monkeypatch.setattr(world.accounts, "rotate", down)
    with pytest.raises(Unavailable):
        await world.tokens.for_account("b", None)
    assert not [key for key in world.cache.entries if isinstance(key, AccountView) and key.account_id == "b"]


async def test_an_account_that_changed_during_the_exchange_is_read_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, views = world.accounts.grant, []

    async def grant(account_id: str) -> AccountGrant:
        views.append(world.accounts.revision)
        if len(views) == 1:
            world.accounts.revision += 1
        return await opened(account_id)

    monkeypatch.setattr(world.accounts, "grant", grant)
    await world.tokens.for_account("a", None)
    assert (views, world.lwa.exchanges) == ([1, 2], 1)
    assert list(world.cache.entries) == [AccountView("a", 2)]

    async def always(account_id: str) -> AccountGrant:
        raise Conflict("moved")

    monkeypatch.setattr(world.accounts, "grant", always)
    with pytest.raises(Unavailable):
        await world.tokens.for_account("b", None)


async def test_a_revocation_that_cannot_be_stored_is_still_reported(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def down(account: AccountView) -> None:
        raise Unavailable("the account service is down")

    monkeypatch.setattr(world.accounts, "mark_revoked", down)
    world.lwa.refusal = PreconditionFailed("revoked", reason=Reason.AUTHORIZATION_REVOKED)
    with pytest.raises(PreconditionFailed):
        await world.tokens.for_account("a", None)
