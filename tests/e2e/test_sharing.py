"""Sharing among callers: one exchange, one role session, and quota kept, however many callers there are."""

import asyncio

import httpx
from sellergate.token.v1 import token_service_pb2 as pb2
from sellergate.token.v1.token_service_pb2_grpc import TokenServiceStub
from sellergate_client import Sellergate
from sellergate_common.rpc.channel import invoke, open_channel

from tests.e2e.conftest import Rest
from tests.e2e.sellers import Seller

CALLS = 1_000
CALLERS = 16
PATH = "/catalog/2022-04-01/items"


async def counters(control: httpx.AsyncClient) -> tuple[int, int, int]:
    counted = (await control.get("/control/counters")).json()
    return counted["lwa"]["exchanges"], counted["sts"]["assume_role"], counted["throttled"]


async def test_a_thousand_calls_make_one_exchange_and_one_role_session(
    rest: Rest, client: Sellergate, control: httpx.AsyncClient, seller: Seller
) -> None:
    account_id = await rest.connect(seller)
    assert (await control.post("/control/rates", json={"scale": 1000})).is_success
    before = await counters(control)
    numbers = iter(range(CALLS))

    async def caller() -> None:
        for _ in numbers:
            response = await client.call(
                account_id, "GET", PATH, query={"keywords": "x", "marketplaceIds": seller.marketplace_id}
            )
            assert response.status == 200

    try:
        await asyncio.gather(*(caller() for _ in range(CALLERS)))
        after = await counters(control)
    finally:
        await control.post("/control/rates", json={"scale": 1})
    assert after[0] - before[0] == 1
    assert after[1] - before[1] == 1
    # 429s are not counted here: at 2,000 calls per second the machine's own jitter is longer than a slot.


async def test_quota_is_kept_and_amazon_refuses_nothing(
    rest: Rest, client: Sellergate, control: httpx.AsyncClient, seller: Seller
) -> None:
    account_id = await rest.connect(seller)
    before = await counters(control)
    # 2 calls a second, burst 2: Sellergate plans with one slot, so eight calls take about 3.5 s.
    path = f"/fba/inventory/v1/summaries?granularityType=Marketplace&granularityId={seller.marketplace_id}"
    raw_path, _, raw_query = path.partition("?")
    query = f"{raw_query}&marketplaceIds={seller.marketplace_id}"
    responses = await asyncio.gather(*(client.call(account_id, "GET", raw_path, raw_query=query) for _ in range(8)))
    assert {response.attempts for response in responses} == {1}
    assert sum(response.waited > 0.1 for response in responses) >= 6
    assert (await counters(control))[2] == before[2]


async def test_clearing_the_cache_makes_the_next_call_exchange_again(
    rest: Rest, client: Sellergate, control: httpx.AsyncClient, seller: Seller
) -> None:
    account_id = await rest.connect(seller)
    suite = rest.suite
    await client.check_account(account_id, exchange=False, with_call=False)
    before = await counters(control)
    async with open_channel(suite.target("token"), "token", suite.identity("operator"), []) as channel:
        stub = TokenServiceStub(channel)
        request = pb2.ClearTokenCacheRequest(account_id=account_id)
        assert (await invoke(stub.ClearTokenCache, request, dependency="token")).cleared == 1
        stats = await invoke(stub.GetTokenCacheStats, pb2.GetTokenCacheStatsRequest(), dependency="token")
        assert stats.refreshes >= 1
    await asyncio.sleep(0.2)  # the change is published through Redis
    await client.check_account(account_id, exchange=False, with_call=False)
    assert (await counters(control))[0] - before[0] == 1


async def test_an_expired_token_is_replaced_once_without_an_error(
    rest: Rest, client: Sellergate, control: httpx.AsyncClient, seller: Seller
) -> None:
    account_id = await rest.connect(seller)
    await client.check_account(account_id, exchange=False, with_call=False)
    before = await counters(control)
    fault = {"kind": "403_expired", "operation": "sellers/v1/getMarketplaceParticipations", "count": 1}
    assert (await control.post("/control/faults", json=fault)).is_success
    response = await client.call(account_id, "GET", "/sellers/v1/marketplaceParticipations")
    assert (response.status, response.attempts) == (200, 2)
    assert (await counters(control))[0] - before[0] == 1
