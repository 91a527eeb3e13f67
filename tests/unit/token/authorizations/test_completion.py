"""Repeated and interrupted callbacks, and outages: each callback has the same result, and no code is exchanged twice."""

import asyncio
from dataclasses import replace

import pytest
from pydantic import SecretStr
from sellergate_common.errors import InvalidRequest, OutOfTime, PreconditionFailed, Reason, SellergateError, Unavailable
from sellergate_token.authorizations.completion import BUSY_SECONDS, REMEMBERED_SECONDS, AuthorizationCallback
from sellergate_token.authorizations.consent import AuthorizationRequest
from sellergate_token.ports import AccessToken, Code, Grant, RefreshToken

from tests.fakes.token import AuthorizationWorld

REQUEST = AuthorizationRequest("u1", "app", "US")
DOWN = Unavailable("LWA is down", reason=Reason.AMAZON_UNAVAILABLE)
CODE, TOKEN = Code(SecretStr("S1"), "https://ours.example/cb"), RefreshToken(SecretStr("Atzr|1"))


@pytest.fixture
def world() -> AuthorizationWorld:
    return AuthorizationWorld()


async def begun(world: AuthorizationWorld) -> AuthorizationCallback:
    world.lwa.codes["S1"] = "Atzr|1"
    new = await world.authorizations.start(REQUEST, "u1")
    return AuthorizationCallback(new.state, new.browser_nonce, SecretStr("S1"), "A1SELLER")


def exchanged(world: AuthorizationWorld) -> list[Grant]:
    return world.lwa.seen


async def test_a_repeated_callback_returns_the_same_account_and_exchanges_nothing(world: AuthorizationWorld) -> None:
    back = await begun(world)
    first = await world.authorizations.complete(back, "")
    world.lwa.refused = DOWN
    for user in ("", "u1"):
        assert await world.authorizations.complete(back, user) == first
    assert exchanged(world) == [CODE, TOKEN]
    assert world.sellers.writes == 1
    world.now[0] += REMEMBERED_SECONDS
    with pytest.raises(InvalidRequest) as caught:
        await world.authorizations.complete(back, "")
    assert [violation.field for violation in caught.value.violations] == ["state"]


async def test_simultaneous_callbacks_are_carried_out_once_with_one_result(world: AuthorizationWorld) -> None:
    back = await begun(world)
    exchange, going = world.lwa.exchange, asyncio.Event()

    async def slow(client_id: SecretStr, client_secret: SecretStr, grant: Grant) -> AccessToken:
        await going.wait()
        return await exchange(client_id, client_secret, grant)

    world.lwa.exchange = slow  # type: ignore[method-assign]
    calls = [asyncio.create_task(world.authorizations.complete(back, "")) for _ in range(5)]
    await asyncio.sleep(0)
    going.set()
    accounts = await asyncio.gather(*calls)
    assert accounts == [accounts[0]] * 5
    assert exchanged(world) == [CODE, TOKEN]
    assert world.sellers.writes == 1


async def test_a_disconnected_browser_does_not_stop_a_callback(
    world: AuthorizationWorld,
) -> None:
    back = await begun(world)
    exchange, going = world.lwa.exchange, asyncio.Event()

    async def slow(client_id: SecretStr, client_secret: SecretStr, grant: Grant) -> AccessToken:
        token = await exchange(client_id, client_secret, grant)
        await going.wait()
        return token

    world.lwa.exchange = slow  # type: ignore[method-assign]
    call = asyncio.create_task(world.authorizations.complete(back, ""))
    await asyncio.sleep(0.05)
    assert exchanged(world) == [CODE]
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    going.set()
    assert (await world.authorizations.complete(back, "")).refresh_token == SecretStr("Atzr|1")
    assert exchanged(world) == [CODE, TOKEN]


@pytest.mark.parametrize(
    "outage",
    [DOWN, OutOfTime("slow"), PreconditionFailed("client", reason=Reason.LWA_CLIENT_REJECTED)],
    ids=lambda error: error.reason,
)
async def test_a_redeemed_token_survives_an_outage_at_its_first_exchange(
    world: AuthorizationWorld, outage: SellergateError
) -> None:
    back = await begun(world)
    world.lwa.refused = outage
    for _ in range(2):
        with pytest.raises(type(outage)):
            await world.authorizations.complete(back, "")
    assert not world.sellers.stored
    world.now[0] += REMEMBERED_SECONDS - 1
    world.lwa.refused = None
    world.exchanges_pause()
    assert (await world.authorizations.complete(back, "")).refresh_token == SecretStr("Atzr|1")
    assert exchanged(world).count(CODE) == 1


async def test_a_second_consent_after_an_outage_continues_with_the_first_token(world: AuthorizationWorld) -> None:
    back = await begun(world)
    world.lwa.refused = DOWN
    with pytest.raises(Unavailable):
        await world.authorizations.complete(back, "")
    world.lwa.refused, world.lwa.codes["S2"] = None, "Atzr|2"
    other = replace(back, code=SecretStr("S2"))
    with pytest.raises(InvalidRequest):
        await world.authorizations.complete(replace(other, selling_partner_id="A2SELLER"), "")
    assert (await world.authorizations.complete(other, "")).refresh_token == SecretStr("Atzr|1")
    assert await world.authorizations.complete(other, "")
    assert exchanged(world) == [CODE, TOKEN, TOKEN]


async def test_a_redeemed_token_survives_an_outage_of_the_account_service(world: AuthorizationWorld) -> None:
    back = await begun(world)
    world.sellers.down = Unavailable("down")
    with pytest.raises(Unavailable):
        await world.authorizations.complete(back, "")
    world.sellers.down = None
    assert await world.authorizations.complete(back, "")
    assert exchanged(world) == [CODE, TOKEN, TOKEN]


async def test_another_process_continues_after_the_first_one_died(world: AuthorizationWorld) -> None:
    back = await begun(world)
    world.lwa.refused = DOWN
    with pytest.raises(Unavailable):
        await world.authorizations.complete(back, "")
    world.lwa.refused = None
    (name, (kept, end)), *_ = world.states.advanced.items()
    assert kept.progress is not None
    busy = replace(kept.progress, busy_until=world.now[0] + BUSY_SECONDS)
    world.states.advanced[name] = replace(kept, progress=busy), end
    call = asyncio.create_task(world.authorizations.complete(back, ""))
    await asyncio.sleep(0.05)
    assert not call.done()
    world.now[0] += BUSY_SECONDS
    assert await call
    assert exchanged(world).count(CODE) == 1


@pytest.mark.parametrize("refusal", ["code", "token"])
async def test_a_repeat_gets_the_same_final_refusal_without_a_request_to_amazon(
    world: AuthorizationWorld, refusal: str
) -> None:
    back = await begun(world)
    if refusal == "code":
        world.lwa.codes.clear()
    else:
        world.lwa.refused = PreconditionFailed.revoked()
    with pytest.raises(SellergateError) as first:
        await world.authorizations.complete(back, "")
    exchanges = len(exchanged(world))
    world.lwa.refused, world.lwa.codes["S1"] = None, "Atzr|1"
    with pytest.raises(type(first.value)) as again:
        await world.authorizations.complete(back, "")
    assert (again.value.reason, again.value.message) == (first.value.reason, first.value.message)
    assert again.value.violations == first.value.violations
    assert len(exchanged(world)) == exchanges
    assert not world.sellers.stored


async def test_a_used_state_with_another_code_or_seller_is_refused(world: AuthorizationWorld) -> None:
    back = await begun(world)
    await world.authorizations.complete(back, "")
    world.lwa.codes["S2"] = "Atzr|2"
    for other in (replace(back, code=SecretStr("S2")), replace(back, selling_partner_id="A2SELLER")):
        with pytest.raises(InvalidRequest) as caught:
            await world.authorizations.complete(other, "")
        assert [violation.field for violation in caught.value.violations] == ["state"]
    assert "S2" in world.lwa.codes


async def test_an_outage_of_redis_after_the_redemption_loses_no_account(world: AuthorizationWorld) -> None:
    back = await begun(world)
    advance, calls = world.states.advance, 0

    async def fails_later(*given: object) -> object:
        nonlocal calls
        calls += 1
        if calls > 1:
            raise Unavailable("Redis does not respond")
        return await advance(*given)  # type: ignore[arg-type]

    world.states.advance = fails_later  # type: ignore[assignment, method-assign]
    assert await world.authorizations.complete(back, "")
    assert exchanged(world) == [CODE, TOKEN]
