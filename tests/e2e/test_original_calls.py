"""The calls of the former monolith's README, ported as docs/migrating.md describes."""

from datetime import UTC, datetime, timedelta

import httpx
from sellergate.account.v1 import account_service_pb2
from sellergate.account.v1.account_service_pb2_grpc import AccountServiceStub
from sellergate.token.v1.token_service_pb2 import GetAccessTokenRequest, InlineCredentials, TokenSource
from sellergate_client import AmazonRefused, Sellergate, SellingPartner
from sellergate_common.rpc.channel import invoke, open_channel

from tests.e2e.conftest import Rest
from tests.e2e.sellers import Seller
from tests.e2e.token_service import exchanges, token_service

US = "ATVPDKIKX0DER"


async def test_a_token_for_inline_credentials_has_every_field_of_the_original(
    rest: Rest, control: httpx.AsyncClient, seller: Seller
) -> None:
    given = InlineCredentials(
        client_id=seller.client_id, client_secret=seller.client_secret, refresh_token=seller.refresh_token
    )
    before = await exchanges(control)
    async with token_service(rest.suite) as tokens:
        request = GetAccessTokenRequest(credentials=given)
        first = await invoke(tokens.stub.GetAccessToken, request, dependency="token")
        second = await invoke(tokens.stub.GetAccessToken, request, dependency="token")
    assert first.access_token.startswith("Atza|")
    assert (first.token_type, first.refresh_token) == ("bearer", "")
    assert 3500 < first.expires_in <= 3600
    assert (second.access_token, TokenSource.Name(second.source)) == (first.access_token, "TOKEN_SOURCE_CACHE")
    assert await exchanges(control) - before == 1


async def test_all_nine_fields_of_the_original_upsert_are_kept(rest: Rest, seller: Seller) -> None:
    request = account_service_pb2.UpsertAccountRequest(
        user_id=f"user-{seller.seller_id}",
        amazon_seller_id=seller.seller_id,
        marketplace="US",
        lwa_client_id=seller.client_id,
        lwa_client_secret=seller.client_secret,
        refresh_token=seller.refresh_token,
        iam_role_arn=seller.role_arn,
        marketplace_ids=[US],
        region="us-east-1",
    )
    async with open_channel(rest.suite.target("account"), "account", rest.suite.identity("operator"), []) as channel:
        account = (await invoke(AccountServiceStub(channel).UpsertAccount, request, dependency="account")).account
    for field in ("user_id", "amazon_seller_id", "marketplace", "iam_role_arn", "marketplace_ids", "region"):
        assert getattr(account, field) == getattr(request, field), field
    assert account.refresh_token_set


async def test_the_calls_of_the_original_work_as_documented(
    rest: Rest, client: Sellergate, seller: Seller, fast: None
) -> None:
    week = (datetime.now(UTC) - timedelta(days=7)).isoformat(timespec="seconds").replace("+00:00", "Z")
    async with SellingPartner(await rest.connect(seller), sellergate=client) as partner:
        orders = await partner.get("/orders/v0/orders", {"MarketplaceIds": [US], "CreatedAfter": week})
        assert orders.json()["payload"]["Orders"]
        body = {"reportType": "GET_FLAT_FILE_OPEN_LISTINGS_DATA", "marketplaceIds": [US]}
        assert (await partner.post("/reports/2021-06-30/reports", json=body)).json()["reportId"]
        where = {"marketplaceIds": [US], "granularityType": "Marketplace"}
        stock = await partner.get("/fba/inventory/v1/summaries", {**where, "granularityId": US})
        assert "inventorySummaries" in stock.json()["payload"]
        try:
            await partner.get("/fba/inventory/v1/summaries", where)
        except AmazonRefused as error:
            assert "granularityId" in error.message  # noqa: PT017  (the test checks Amazon's own text)
        else:
            raise AssertionError("Amazon requires granularityId")
