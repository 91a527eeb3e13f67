"""The LWA adapter against the simulator: the typed error of each of Amazon's refusals."""

import asyncio
import random
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress

import httpx
import pytest
from pydantic import SecretStr
from sellergate_common.clock import SYSTEM_CLOCK, Clock
from sellergate_common.context import CallContext, use_context
from sellergate_common.errors import AmazonRefused, OutOfTime, PreconditionFailed, Reason, Unavailable
from sellergate_token.lwa.aiohttp_transport import open_lwa
from sellergate_token.lwa.client import MOST_EXCHANGES, HttpLwa
from sellergate_token.ports import AccessToken, LwaClient, RefreshToken
from sellergate_token.tokens.exchanges import Exchanges

from tests.contract.simulator.simulator_process import running_simulator
from tests.e2e.sellers import Seller


@pytest.fixture(scope="module")
def simulator_url() -> Iterator[str]:
    with running_simulator() as simulator:
        yield simulator.main


@pytest.fixture(scope="module")
async def control(simulator_url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=simulator_url, trust_env=False) as client:
        yield client


@pytest.fixture(scope="module")
async def lwa(simulator_url: str) -> AsyncIterator[HttpLwa]:
    async with open_lwa(f"{simulator_url}/auth/o2/token", SYSTEM_CLOCK, random.random) as opened:
        yield opened


@pytest.fixture
async def seller(control: httpx.AsyncClient) -> Seller:
    return await Seller.seeded(control)


async def refresh(lwa: HttpLwa, seller: Seller, **changes: str) -> AccessToken:
    values = {
        "client_id": seller.client_id,
        "client_secret": seller.client_secret,
        "refresh_token": seller.refresh_token,
    }
    values = {**values, **changes}
    client_id, client_secret, refresh_token = map(SecretStr, values.values())
    return await lwa.exchange(client_id, client_secret, RefreshToken(refresh_token))


async def test_a_good_grant_gives_a_token_for_an_hour(lwa: HttpLwa, seller: Seller) -> None:
    token = await refresh(lwa, seller)
    assert token.value.get_secret_value().startswith("Atza|")
    assert 3590 < token.expire_time - time.time() <= 3600
    assert token.refresh_token == SecretStr(seller.refresh_token)


async def test_an_exchange_imports_nothing(lwa: HttpLwa, seller: Seller, monkeypatch: pytest.MonkeyPatch) -> None:
    await refresh(lwa, seller)
    looked_up = list[str]()

    class Recorder:
        """A finder that finds nothing; a module that no other finds either is looked up again by each request."""

        @staticmethod
        def find_spec(name: str, *_: object) -> None:
            looked_up.append(name)

    monkeypatch.setattr(sys, "meta_path", [Recorder, *sys.meta_path])
    await refresh(lwa, seller)
    assert looked_up == []


async def test_a_life_begins_when_the_request_is_sent(lwa: HttpLwa, seller: Seller, control: httpx.AsyncClient) -> None:
    await control.post("/control/faults", json={"kind": "lwa_slow", "count": 1, "delay_seconds": 1})
    began = time.time()
    token = await refresh(lwa, seller)
    assert time.time() - began >= 1
    assert token.expire_time - began < 3600.9


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"client_secret": "wrong"}, Reason.LWA_CLIENT_REJECTED),
        ({"client_id": "amzn1.application-oa2-client.nobody"}, Reason.LWA_CLIENT_REJECTED),
        ({"refresh_token": "Atzr|nobody"}, Reason.AUTHORIZATION_REVOKED),
    ],
)
async def test_refusals_are_typed_and_final_and_show_no_secret(
    lwa: HttpLwa, seller: Seller, changes: dict[str, str], reason: Reason
) -> None:
    with pytest.raises(PreconditionFailed) as caught:
        await refresh(lwa, seller, **changes)
    assert caught.value.reason is reason
    shown = repr(caught.value.__dict__) + repr(caught.value.__context__)
    assert not [secret for secret in (*seller.secrets, *changes.values()) if secret in shown]


@pytest.mark.parametrize("kind", ["lwa_500", "lwa_html"])
async def test_failures_of_amazon_are_retried_and_then_reported(
    lwa: HttpLwa, control: httpx.AsyncClient, seller: Seller, kind: str
) -> None:
    assert (await control.post("/control/faults", json={"kind": kind, "count": 1})).is_success
    assert (await refresh(lwa, seller)).value
    assert (await control.post("/control/faults", json={"kind": kind, "count": 10})).is_success
    try:
        with pytest.raises(Unavailable) as caught:
            await refresh(lwa, seller)
    finally:
        await control.delete("/control/faults")
    assert caught.value.reason is Reason.AMAZON_UNAVAILABLE
    assert caught.value.retry_after


async def test_a_refresh_token_of_another_client_is_the_accounts_fault(
    lwa: HttpLwa, control: httpx.AsyncClient, seller: Seller
) -> None:
    other = await Seller.seeded(control)
    with pytest.raises(PreconditionFailed) as caught:
        await refresh(lwa, seller, refresh_token=other.refresh_token)
    assert caught.value.reason is Reason.AUTHORIZATION_MISMATCH
    assert caught.value.metadata == {"lwa_error": "unauthorized_client"}


@pytest.mark.parametrize(
    "kind", ["lwa_odd_types", "lwa_odd_token", "lwa_surrogate", "lwa_charset", "lwa_deep", "lwa_large"]
)
async def test_an_invalid_response_is_a_typed_error_without_a_token(
    lwa: HttpLwa, control: httpx.AsyncClient, seller: Seller, kind: str
) -> None:
    await control.post("/control/faults", json={"kind": kind})
    try:
        with pytest.raises(Unavailable) as caught:
            await refresh(lwa, seller)
    finally:
        await control.delete("/control/faults")
    assert caught.value.reason is Reason.AMAZON_UNAVAILABLE
    assert (await refresh(lwa, seller)).value


async def test_a_lifetime_as_text_is_accepted(lwa: HttpLwa, control: httpx.AsyncClient, seller: Seller) -> None:
    await control.post("/control/faults", json={"kind": "lwa_text_life", "count": 1})
    assert (await refresh(lwa, seller)).life == 3600


@pytest.mark.parametrize(
    ("kind", "reason"),
    [("lwa_invalid_request", Reason.AMAZON_REJECTED), ("lwa_access_denied", Reason.AMAZON_DENIED)],
)
async def test_a_final_refusal_is_requested_once(
    lwa: HttpLwa, control: httpx.AsyncClient, seller: Seller, kind: str, reason: Reason
) -> None:
    await control.post("/control/faults", json={"kind": kind, "count": 1})
    with pytest.raises(AmazonRefused) as caught:
        await refresh(lwa, seller)
    assert caught.value.reason is reason


async def test_retry_after_is_observed_within_the_deadline_and_passed_on_beyond_it(
    simulator_url: str, control: httpx.AsyncClient, seller: Seller
) -> None:
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    clock = Clock(sleep=sleep)
    async with open_lwa(f"{simulator_url}/auth/o2/token", clock, lambda: 0.0) as lwa:
        await control.post("/control/faults", json={"kind": "lwa_429", "count": 1, "retry_after_seconds": 3})
        assert (await refresh(lwa, seller)).value
        assert waited == [3.0]
        await control.post("/control/faults", json={"kind": "lwa_429", "count": 1, "retry_after_seconds": 600})
        with pytest.raises(Unavailable) as caught:
            await refresh(lwa, seller)
    assert (caught.value.retry_after, waited) == (600.0, [3.0])


async def test_one_bad_account_does_not_affect_others_of_its_application(
    lwa: HttpLwa, control: httpx.AsyncClient, seller: Seller
) -> None:
    exchanges = Exchanges(lwa, time.monotonic)
    client = LwaClient(SecretStr(seller.client_id), SecretStr(seller.client_secret))
    foreign = RefreshToken(SecretStr((await Seller.seeded(control)).refresh_token))
    good = RefreshToken(SecretStr(seller.refresh_token))

    async def token_or_reason(grant: RefreshToken) -> AccessToken | Reason:
        try:
            return await exchanges.exchange(client, grant)
        except PreconditionFailed as error:
            return error.reason

    for _ in range(10):
        bad, *others = await asyncio.gather(token_or_reason(foreign), *(token_or_reason(good) for _ in range(8)))
        assert bad is Reason.AUTHORIZATION_MISMATCH
        assert [type(one) for one in others] == [AccessToken] * 8


async def test_a_call_of_a_slow_lwa_ends_at_the_deadline(
    lwa: HttpLwa, control: httpx.AsyncClient, seller: Seller
) -> None:
    await control.post("/control/faults", json={"kind": "lwa_slow", "count": 1, "delay_seconds": 40})
    began = time.monotonic()
    try:
        with use_context(CallContext("test", "1", deadline=began + 0.5)), pytest.raises(OutOfTime):
            await refresh(lwa, seller)
    finally:
        await control.delete("/control/faults")
    assert time.monotonic() - began < 30


async def test_an_lwa_that_does_not_listen_is_unavailable(seller: Seller) -> None:
    async with open_lwa("http://127.0.0.1:1/auth/o2/token", SYSTEM_CLOCK, random.random) as nowhere:
        with pytest.raises(Unavailable) as caught:
            await refresh(nowhere, seller)
    assert caught.value.reason is Reason.AMAZON_UNAVAILABLE
    assert caught.value.__cause__ is None


async def test_a_caller_that_is_cancelled_before_its_slot_sends_nothing(seller: Seller) -> None:
    arrived, well = 0, asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal arrived
        with suppress(asyncio.IncompleteReadError):
            while await reader.readuntil(b"\r\n\r\n"):
                arrived += 1
                await well.wait()
                writer.write(b"HTTP/1.1 400 X\r\nContent-Length: 25\r\n\r\n" + b'{"error":"access_denied"}')
                writer.close()
                return

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/auth/o2/token"
        async with open_lwa(url, SYSTEM_CLOCK, random.random) as lwa:
            callers = [asyncio.ensure_future(refresh(lwa, seller)) for _ in range(3 * MOST_EXCHANGES)]
            async with asyncio.timeout(10):
                while arrived < MOST_EXCHANGES:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            for caller in callers:
                caller.cancel()
            await asyncio.wait(callers)
            well.set()
            async with asyncio.timeout(10):
                while lwa.slots.free < MOST_EXCHANGES:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            with pytest.raises(AmazonRefused):
                await refresh(lwa, seller)
    assert arrived == MOST_EXCHANGES + 1
