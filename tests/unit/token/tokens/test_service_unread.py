"""Tokens of accounts that were not read yet: a caller's revision spares the reading, and nothing else changes."""

import pytest
from pydantic import SecretStr
from sellergate_common.cache.entries import Lookup
from sellergate_common.errors import PreconditionFailed, Reason
from sellergate_token.ports import AccessToken, AccountView

from tests.unit.token.tokens.test_service import LIFE, World


@pytest.fixture
def world() -> World:
    world = World()
    world.accounts.known = False
    world.accounts.revision = 7
    return world


def store(world: World, revision: int) -> SecretStr:
    """Store a token of a revision as another replica does; return it."""
    value = SecretStr(f"Atza|{revision}")
    world.cache.entries[AccountView("a", revision)] = AccessToken(value, world.now[0] + LIFE, LIFE)
    return value


async def test_only_the_exchange_reads_the_account(world: World) -> None:
    found = await world.tokens.for_account("a", None, 7)
    assert (found.value.revision, found.cached, world.accounts.calls) == (7, False, [])
    assert list(world.cache.entries) == [AccountView("a", 7)]


async def test_without_a_revision_the_account_is_read_first(world: World) -> None:
    assert (await world.tokens.for_account("a", None)).value.revision == 7
    assert world.accounts.calls == [0]


async def test_a_cached_token_is_returned_after_the_account_was_read(world: World) -> None:
    value = store(world, 7)
    assert (await world.tokens.for_account("a", None, 7)).value.value == value
    assert (world.accounts.calls, world.lwa.exchanges) == ([7], 0)


async def test_a_cached_token_of_an_inactive_account_is_not_returned(world: World) -> None:
    store(world, 7)
    world.accounts.problem = PreconditionFailed.inactive()
    with pytest.raises(PreconditionFailed) as caught:
        await world.tokens.for_account("a", None, 7)
    assert caught.value.reason is Reason.ACCOUNT_INACTIVE


async def test_a_cached_token_of_an_earlier_revision_is_not_returned(world: World) -> None:
    store(world, 5)
    found = await world.tokens.for_account("a", None, 5)
    assert (found.value.revision, found.cached, world.lwa.exchanges) == (7, False, 1)


async def test_an_earlier_revision_is_not_exchanged(world: World) -> None:
    assert (await world.tokens.for_account("a", None, 5)).value.revision == 7
    assert (world.lwa.exchanges, list(world.cache.entries)) == (1, [AccountView("a", 7)])


async def test_the_state_of_the_account_is_the_reported_problem(world: World) -> None:
    world.accounts.problem = PreconditionFailed.inactive()
    with pytest.raises(PreconditionFailed) as caught:
        await world.tokens.for_account("a", None, 7)
    assert (caught.value.reason, world.lwa.exchanges) == (Reason.ACCOUNT_INACTIVE, 0)


@pytest.mark.parametrize("reason", [Reason.AUTHORIZATION_REVOKED, Reason.AUTHORIZATION_MISMATCH])
async def test_a_refusal_is_reported_and_requested_once(world: World, reason: Reason) -> None:
    world.lwa.refusal = PreconditionFailed("refused", reason=reason)
    with pytest.raises(PreconditionFailed) as caught:
        await world.tokens.for_account("a", None, 7)
    assert (caught.value.reason, world.lwa.exchanges) == (reason, 1)
    assert world.accounts.revoked == [AccountView("a", 7)]


async def test_a_remembered_refusal_of_an_earlier_revision_is_not_reported(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    obtain = world.cache.obtain

    async def remembering(key: AccountView, *given: object) -> object:
        if key.revision == 5:
            raise PreconditionFailed("remembered", reason=Reason.AUTHORIZATION_REVOKED)
        return await obtain(key, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(world.cache, "obtain", remembering)
    assert (await world.tokens.for_account("a", None, 5)).value.revision == 7


async def test_a_token_of_an_exchange_that_began_before_a_change_is_not_returned(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The call joined the exchange of another one, which takes as long as LWA."""
    obtain = world.cache.obtain

    async def joining(key: AccountView, *given: object) -> object:
        if key.revision == 5:
            return Lookup(AccessToken(SecretStr("Atza|5"), world.now[0] + LIFE, LIFE), cached=False)
        return await obtain(key, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(world.cache, "obtain", joining)
    assert (await world.tokens.for_account("a", None, 5)).value.revision == 7
