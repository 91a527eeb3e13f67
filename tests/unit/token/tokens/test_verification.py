"""Verification of accounts on fakes: one exchange decides, and each account has at most one in 60 s."""

import asyncio
from dataclasses import dataclass, field

import pytest
from pydantic import SecretStr
from sellergate_common.errors import Conflict, NotFound, PreconditionFailed, Reason, SellergateError, Unavailable
from sellergate_token.ports import AccountGrant, AccountView, Standing
from sellergate_token.tokens.verification import VERIFICATION_SECONDS, Verifications, Verified

from tests.unit.token.tokens.test_service import FakeAccounts
from tests.unit.token.tokens.test_service import World as TokenWorld


@dataclass
class StandingAccounts(FakeAccounts):
    """Accounts that can be revoked and restored."""

    is_revoked: bool = False
    restored: list[AccountView] = field(default_factory=list)
    failure: SellergateError | None = None

    async def view(self, account_id: str, at_least: int = 0) -> AccountView:
        if self.is_revoked:
            raise PreconditionFailed.revoked()
        return await super().view(account_id, at_least)

    async def standing(self, account_id: str) -> Standing:
        return Standing(AccountView(account_id, self.revision), "u1", self.is_revoked)

    async def grant(self, account_id: str, *, verifying: bool = False) -> AccountGrant:
        if self.is_revoked and not verifying:
            raise PreconditionFailed.revoked()
        return await super().grant(account_id)

    async def mark_revoked(self, account: AccountView) -> None:
        await super().mark_revoked(account)
        self.is_revoked = True
        self.revision += 1

    async def restore(self, account: AccountView) -> AccountView:
        assert account.revision == self.revision
        if self.failure is not None:
            raise self.failure
        self.restored.append(account)
        self.revision += self.is_revoked
        self.is_revoked = False
        return AccountView(account.account_id, self.revision)

    async def rotate(self, account: AccountView, refresh_token: SecretStr) -> AccountView:
        self.is_revoked = False
        return await super().rotate(account, refresh_token)


class World(TokenWorld):
    def __init__(self) -> None:
        super().__init__()
        self.accounts: StandingAccounts = StandingAccounts()
        self.tokens._accounts = self.accounts
        self.turns: dict[str, float] = {}
        exchanges = self.tokens._exchanges
        self.verifications = Verifications(self.accounts, exchanges, self.tokens, self.cache, self, lambda: self.now[0])

    async def acquire(self, account_id: str, seconds: float) -> bool:
        if self.turns.get(account_id, 0.0) > self.now[0]:
            return False
        self.turns[account_id] = self.now[0] + seconds
        return True


@pytest.fixture
def world() -> World:
    return World()


REVOKED = PreconditionFailed("revoked", reason=Reason.AUTHORIZATION_REVOKED)


async def test_a_verification_exchanges_in_spite_of_a_cached_token_and_replaces_it(world: World) -> None:
    old = await world.tokens.for_account("a", None)
    assert await world.verifications.verify("a", "u1") == Verified(exchanged=True, age=0.0)
    new = await world.tokens.for_account("a", None)
    assert (new.cached, new.value.value != old.value.value, world.lwa.exchanges) == (True, True, 2)


async def test_callers_without_a_token_wait_for_a_verification(world: World) -> None:
    verifying = asyncio.create_task(world.verifications.verify("a", "u1"))
    while not world.lwa.exchanges:  # noqa: ASYNC110  (the condition has no event)
        await asyncio.sleep(0)
    found = await world.tokens.for_account("a", None)
    assert (await verifying).exchanged
    assert (found.value.value.get_secret_value(), world.lwa.exchanges) == ("Atza|1", 1)


async def test_a_verification_does_not_return_the_token_of_an_exchange_that_has_begun(world: World) -> None:
    found, verified = await asyncio.gather(world.tokens.for_account("a", None), world.verifications.verify("a", "u1"))
    assert verified.exchanged
    assert (found.value.value.get_secret_value(), world.lwa.exchanges) == ("Atza|1", 2)
    assert (await world.tokens.for_account("a", None)).value.value.get_secret_value() == "Atza|2"


async def test_a_verification_that_waits_for_a_rotation_replaces_the_token_of_the_new_revision(world: World) -> None:
    world.lwa.sends = SecretStr("Atzr|new")
    _, verified = await asyncio.gather(world.tokens.for_account("a", None), world.verifications.verify("a", "u1"))
    assert verified.exchanged
    found = await world.tokens.for_account("a", None)
    assert (found.cached, found.value.value.get_secret_value(), world.lwa.exchanges) == (True, "Atza|2", 2)


async def test_a_verification_that_waits_for_a_revocation_restores_the_account_and_says_so(world: World) -> None:
    world.lwa.refusal = REVOKED
    getting = asyncio.create_task(world.tokens.for_account("a", None))
    await asyncio.sleep(0)
    verifying = asyncio.create_task(world.verifications.verify("a", "u1"))
    with pytest.raises(PreconditionFailed):
        await getting
    world.lwa.refusal = None
    assert await verifying == Verified(exchanged=True, age=0.0, restored=True)
    assert not world.accounts.is_revoked
    assert world.lwa.exchanges == 2


async def test_a_token_of_a_later_revision_is_stored_under_this_revision(world: World) -> None:
    world.lwa.sends = SecretStr("Atzr|new")
    await world.verifications.verify("a", "u1")
    assert (await world.tokens.for_account("a", None)).cached
    assert (world.accounts.revision, world.lwa.exchanges) == (2, 1)


async def test_an_accepted_token_is_recorded_also_for_an_active_account(world: World) -> None:
    await world.verifications.verify("a", "u1")
    await world.verifications.verify("a", "u1")
    assert world.accounts.restored == [AccountView("a", 1)], "once for each exchange"


@pytest.mark.parametrize("failure", [Conflict("changed"), Unavailable("no account service")])
async def test_an_active_account_is_verified_although_the_record_fails(world: World, failure: SellergateError) -> None:
    world.accounts.failure = failure
    assert await world.verifications.verify("a", "u1") == Verified(exchanged=True, age=0.0)
    assert (await world.tokens.for_account("a", None)).cached
    assert world.lwa.exchanges == 1


async def test_within_60_seconds_a_verification_returns_the_age_of_the_token(world: World) -> None:
    await world.verifications.verify("a", "")
    world.now[0] += 30
    assert await world.verifications.verify("a", "") == Verified(exchanged=False, age=30.0)
    assert world.lwa.exchanges == 1
    await world.verifications.verify("b", "")
    world.now[0] += 31
    assert (await world.verifications.verify("a", "")).exchanged
    assert world.lwa.exchanges == 3


async def test_a_revoked_grant_is_recorded(world: World) -> None:
    await world.tokens.for_account("a", None)
    world.lwa.refusal = REVOKED
    with pytest.raises(PreconditionFailed):
        await world.verifications.verify("a", "")
    assert world.accounts.revoked == [AccountView("a", 1)]
    with pytest.raises(PreconditionFailed) as caught:
        await world.verifications.verify("a", "")
    assert (caught.value.reason, caught.value.retry_after) == (Reason.AUTHORIZATION_REVOKED, VERIFICATION_SECONDS)
    assert world.lwa.exchanges == 2


@pytest.mark.parametrize("sends", [None, SecretStr("Atzr|1"), SecretStr("Atzr|new")])
async def test_a_false_revocation_is_ended_by_one_exchange(world: World, sends: SecretStr | None) -> None:
    world.lwa.refusal = REVOKED
    with pytest.raises(PreconditionFailed):
        await world.tokens.for_account("a", None)
    world.lwa.refusal, world.lwa.sends = None, sends
    assert await world.verifications.verify("a", "u1") == Verified(exchanged=True, age=0.0, restored=True)
    assert not world.accounts.is_revoked
    assert (await world.tokens.for_account("a", None)).cached
    assert world.lwa.exchanges == 2


async def test_an_outage_of_amazon_changes_no_state(world: World) -> None:
    cached = await world.tokens.for_account("a", None)
    world.lwa.refusal = Unavailable("LWA is down")
    with pytest.raises(Unavailable):
        await world.verifications.verify("a", "")
    assert not world.accounts.revoked
    assert (await world.tokens.for_account("a", None)).value == cached.value


async def test_another_users_account_is_not_found(world: World) -> None:
    with pytest.raises(NotFound):
        await world.verifications.verify("a", "u2")
    assert world.lwa.exchanges == 0
