"""Exchanges that outlast their calls: the refresh token of a late response has no other copy, and is stored."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest
from pydantic import SecretStr
from sellergate_common.context import CallContext, deadline_in, time_left, use_context
from sellergate_common.errors import OutOfTime
from sellergate_token.authorizations.completion import AuthorizationCallback
from sellergate_token.authorizations.consent import AuthorizationRequest
from sellergate_token.ports import AccessToken, Grant, RefreshToken
from sellergate_token.rotation.service import NewRefreshToken
from sellergate_token.tokens.exchanges import Exchanges

from tests.fakes.token import AuthorizationWorld, RotationWorld
from tests.fakes.virtual_time import run_in_virtual_time
from tests.unit.token.tokens.test_verification import World

LWA_SECONDS = 5.0
SENT = SecretStr("Atzr|sent")
Exchange = Callable[[SecretStr, SecretStr, Grant], Awaitable[AccessToken]]


class SlowLwa:
    """An LWA that responds after five seconds, if its caller still waits, and sends a new refresh token."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    async def exchange(self, client_id: SecretStr, client_secret: SecretStr, grant: Grant) -> AccessToken:
        response = await self._exchange(client_id, client_secret, grant)
        if time_left(10.0) < LWA_SECONDS:
            raise OutOfTime("the caller did not wait")
        await asyncio.sleep(LWA_SECONDS)
        is_new = isinstance(grant, RefreshToken) and grant.value != SENT
        return AccessToken(
            response.value, response.expire_time, response.life, SENT if is_new else response.refresh_token
        )


async def call_for_a_second(work: Awaitable[object]) -> None:
    """Make a call with a deadline of a second, which LWA exceeds."""
    with use_context(CallContext("VerifyAccount", "r", deadline=deadline_in(1.0))), pytest.raises(OutOfTime):
        await work


async def end_of(exchanges: Exchanges) -> float:
    """Return the seconds of virtual time that the end of the process waits for exchanges."""
    began = asyncio.get_running_loop().time()
    await exchanges.finish(10.0)
    return asyncio.get_running_loop().time() - began


@pytest.mark.parametrize("is_revoked", [False, True])
def test_a_verification_stores_the_refresh_token_of_a_late_response(is_revoked: bool) -> None:
    async def verify() -> None:
        world = World()
        world.accounts.is_revoked = is_revoked
        exchanges = Exchanges(SlowLwa(world.lwa.exchange), time.monotonic)
        world.verifications._exchanges = exchanges
        await call_for_a_second(world.verifications.verify("a", "u1"))
        assert not world.accounts.rotated
        assert await end_of(exchanges) == pytest.approx(LWA_SECONDS - 1.0, abs=0.1)
        assert world.accounts.rotated == [SENT]
        assert (await world.tokens.for_account("a", None)).cached

    run_in_virtual_time(verify())


def test_a_rotation_stores_the_refresh_token_of_a_late_response() -> None:
    async def rotate() -> None:
        world = RotationWorld()
        application_id = await world.application()
        account_id = await world.account(application_id)
        world.lwa.refresh_tokens = {"Atzr|2"}
        exchanges = world.rotations._exchanges = Exchanges(SlowLwa(world.lwa.exchange), time.monotonic)
        rotation = NewRefreshToken(application_id, account_id, SecretStr("Atzr|2"))
        await call_for_a_second(world.rotations.apply(rotation))
        await end_of(exchanges)
        assert await world.refresh_token(account_id) == SENT.get_secret_value()

    run_in_virtual_time(rotate())


def test_an_authorization_stores_the_newest_refresh_token_of_two_late_responses() -> None:
    async def authorize() -> None:
        world = AuthorizationWorld()
        world.lwa.codes["S1"] = "Atzr|1"
        exchanges = Exchanges(SlowLwa(world.lwa.exchange), time.monotonic)
        world.authorizations._completion._exchanges = exchanges
        started = await world.authorizations.start(AuthorizationRequest("u1", "app", "US"), "u1")
        callback = AuthorizationCallback(started.state, started.browser_nonce, SecretStr("S1"), "A1SELLER")
        await call_for_a_second(world.authorizations.complete(callback, ""))
        assert not world.sellers.stored
        await end_of(exchanges)
        assert (await world.authorizations.complete(callback, "")).refresh_token == SENT

    run_in_virtual_time(authorize())


def test_the_end_of_a_process_waits_for_exchanges_that_begin_meanwhile() -> None:
    async def stop() -> None:
        world = World()
        exchanges = Exchanges(SlowLwa(world.lwa.exchange), time.monotonic)
        world.verifications._exchanges = world.tokens._exchanges = exchanges
        await call_for_a_second(world.verifications.verify("a", ""))
        ending = asyncio.create_task(end_of(exchanges))
        await asyncio.sleep(2.0)
        fetching = asyncio.create_task(world.tokens.for_account("b", None))
        assert await ending == pytest.approx(2.0 + LWA_SECONDS, abs=0.1)
        assert fetching.done()
        await fetching

    run_in_virtual_time(stop())


def test_the_end_of_a_process_waits_for_a_bounded_time() -> None:
    async def stop() -> None:
        world = World()
        exchanges = Exchanges(SlowLwa(world.lwa.exchange), time.monotonic)
        assert await end_of(exchanges) == 0.0
        world.verifications._exchanges = exchanges
        await call_for_a_second(world.verifications.verify("a", ""))
        await exchanges.finish(1.0)
        assert not world.accounts.rotated

    run_in_virtual_time(stop())
