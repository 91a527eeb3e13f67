"""A user that claims another user's seller ID, over every route: the other's quota, reports and rates do not change."""

import asyncio
import json
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx
from sellergate.account.v1.account_admin_service_pb2 import ImportAccountsRequest
from sellergate.account.v1.account_admin_service_pb2_grpc import AccountAdminServiceStub
from sellergate.account.v1.account_service_pb2 import UpsertAccountRequest
from sellergate.gateway.v1 import gateway_service_pb2 as pb2
from sellergate.gateway.v1.gateway_service_pb2_grpc import GatewayServiceStub
from sellergate_common.rpc.channel import open_channel

from tests.e2e.browsers import Browser, changed, known_application
from tests.e2e.conftest import Rest
from tests.e2e.sellers import Seller
from tests.e2e.streams import all_of

OPERATION, PATH = "sellers/v1/getMarketplaceParticipations", "sellers/v1/marketplaceParticipations"
# Three calls of each of four claimants stay within Amazon's bucket of the claimants' own seller, whose burst is 15.
CALLS, BURST = 3, 15
REPORT = "GET_MERCHANT_LISTINGS_ALL_DATA"


@dataclass(frozen=True)
class Tenants:
    """A seller of an application, and another seller of it whose user claims the first seller's ID."""

    rest: Rest
    control: httpx.AsyncClient
    first: Seller
    application: str
    own_token: str
    own_id: str

    @classmethod
    async def made(cls, rest: Rest, control: httpx.AsyncClient) -> "Tenants":
        first = await Seller.seeded(control)
        application = await known_application(rest.suite, control, first)
        own_token, own_id = f"Atzr|{secrets.token_urlsafe(64)}", f"A{secrets.token_hex(6).upper()}"
        grants = [{"client_id": first.client_id, "refresh_token": own_token}]
        sellers = [{"selling_partner_id": own_id, "marketplace_ids": [first.marketplace_id], "refresh_tokens": grants}]
        (await control.post("/control/seed", json={"sellers": sellers})).raise_for_status()
        return cls(rest, control, first, application, own_token, own_id)

    def claim(self, **changes: Any) -> dict[str, Any]:
        shared = {"applicationId": self.application, "lwaClientId": None, "lwaClientSecret": None, "iamRoleArn": None}
        return self.first.connection(**shared, **{"refreshToken": self.own_token, **changes})

    async def connected(self, user: str, body: dict[str, Any]) -> str:
        response = await self.rest.request("POST", "/api/amazon/accounts", user, json=body)
        assert response.status_code == 201, response.text
        return str(response.json()["id"])

    async def account_of(self, user: str) -> str:
        listed = await self.rest.request("GET", "/api/amazon/accounts", user)
        (account,) = listed.json()["accounts"]
        assert account["amazonSellerId"] == self.first.seller_id, "the claim is stored"
        assert account["applicationId"] == self.application
        return str(account["id"])


async def by_post(tenants: Tenants, user: str) -> None:
    await tenants.connected(user, tenants.claim())


async def by_patch(tenants: Tenants, user: str) -> None:
    elsewhere = await Seller.seeded(tenants.control)
    account = await tenants.connected(user, elsewhere.connection(amazonSellerId=tenants.first.seller_id))
    patch = {"applicationId": tenants.application, "refreshToken": tenants.own_token}
    response = await tenants.rest.request("PATCH", f"/api/amazon/accounts/{account}", user, json=patch)
    assert response.status_code == 200, response.text


async def by_callback(tenants: Tenants, user: str) -> None:
    browser = Browser(tenants.rest.suite, user)
    async with browser.client:
        back = await browser.consent(await browser.began(tenants.application), tenants.own_id)
        page = await browser.visit(changed(back, selling_partner_id=tenants.first.seller_id))
    assert page.status_code == 200, page.text


async def by_import(tenants: Tenants, user: str) -> None:
    first = tenants.first
    account = UpsertAccountRequest(
        user_id=user,
        amazon_seller_id=first.seller_id,
        marketplace=first.marketplace,
        lwa_client_id=first.client_id,
        lwa_client_secret=first.client_secret,
        refresh_token=tenants.own_token,
    )
    row = ImportAccountsRequest(account=account, use_shared_application=True, shared_application_id=tenants.application)
    suite = tenants.rest.suite
    async with open_channel(suite.target("account"), "account", suite.identity("operator"), []) as channel:
        report = await AccountAdminServiceStub(channel).ImportAccounts(iter([row]))
    assert report.created == 1, report


WAYS: tuple[Callable[[Tenants, str], Awaitable[None]], ...] = (by_post, by_patch, by_callback, by_import)


async def used(tenants: Tenants, account: str, user: str) -> list[tuple[int, str]]:
    path = f"/api/amazon/accounts/{account}/sp-api/{PATH}"
    responses = [await tenants.rest.request("GET", path, user) for _ in range(CALLS)]
    return [(response.status_code, response.headers.get("x-amzn-ratelimit-limit", "")) for response in responses]


async def quotas(tenants: Tenants, account: str, user: str) -> list[dict[str, Any]]:
    page = await tenants.rest.request("GET", f"/api/amazon/accounts/{account}/quotas", user)
    return [{name: value for name, value in row.items() if name != "resetTime"} for row in page.json()["quotas"]]


async def report_of(gateway: GatewayServiceStub, account: str) -> tuple[str, str]:
    """Run a report; return its id and the state that Amazon gave it last."""
    request = pb2.RunReportRequest(account_id=account, report_type=REPORT)
    progress = [
        one.progress for one in await all_of(gateway.RunReport(request, timeout=60)) if one.HasField("progress")
    ]
    return str(progress[0].report_id), str(progress[-1].processing_status)


@dataclass(frozen=True)
class Seen:
    """The observations of the first user."""

    calls: list[tuple[int, str]]
    quotas: list[list[dict[str, Any]]]
    report_status: str


async def run(
    tenants: Tenants, gateway: GatewayServiceStub, ways: tuple[Callable[[Tenants, str], Awaitable[None]], ...]
) -> tuple[Seen, list[str]]:
    """Make the first tenant's calls while claimants make the same; return its observations and the ids of all reports."""
    user = f"first-{tenants.first.seller_id}"
    connected = tenants.first.connection(
        applicationId=tenants.application, lwaClientId=None, lwaClientSecret=None, iamRoleArn=None
    )
    account = await tenants.connected(user, connected)
    claimants: list[tuple[str, str]] = []
    for way in ways:
        claimant = f"{way.__name__}-{tenants.first.seller_id}"
        await way(tenants, claimant)
        claimants.append((await tenants.account_of(claimant), claimant))
    pages = [await quotas(tenants, account, user)]
    for one, name in claimants:
        assert [status for status, _ in await used(tenants, one, name)] == [200] * CALLS
    pages.append(await quotas(tenants, account, user))
    calls = await used(tenants, account, user)
    pages.append(await quotas(tenants, account, user))
    for row in pages[-1]:
        if row["operation"] == OPERATION:
            # On a busy machine a minute may have passed, in which one more call was refilled.
            row["remaining"] = min(row["remaining"], BURST - CALLS)
    accounts = (account, *(one for one, _ in claimants))
    reports = await asyncio.gather(*(report_of(gateway, one) for one in accounts))
    return Seen(calls, pages, reports[0][1]), [report_id for report_id, _ in reports]


async def reports_created(control: httpx.AsyncClient) -> int:
    counters = (await control.get("/control/counters")).json()["operations"]
    return int(counters.get("reports/2021-06-30/createReport", {}).get("calls", 0))


async def test_false_claims_change_nothing_for_the_first_tenant(
    rest: Rest, gateway: GatewayServiceStub, control: httpx.AsyncClient
) -> None:
    without_claims, _ = await run(await Tenants.made(rest, control), gateway, ())
    before = await reports_created(control)
    with_claims, reports = await run(await Tenants.made(rest, control), gateway, WAYS)
    assert with_claims == without_claims
    assert await reports_created(control) - before == 1 + len(WAYS), "no claimant joined another's report"
    # Amazon's ids are unique only together with the seller's ID, and the claimants share one seller.
    assert len(set(reports[1:])) == len(WAYS)
    (full, between, after) = [
        next(row["remaining"] for row in page if row["operation"] == OPERATION) for page in with_claims.quotas
    ]
    assert (full, between) == (BURST, BURST), "twelve calls of claimants took none of the first one's"
    assert after == between - CALLS


async def test_the_webhook_names_an_account_and_not_a_seller(rest: Rest) -> None:
    schema = (await rest.request("GET", "/openapi.json", None)).json()
    (body,) = (
        operation["requestBody"]["content"]["application/json"]["schema"]
        for path, methods in schema["paths"].items()
        if path.endswith("/webhooks/token-rotation")
        for operation in methods.values()
    )
    assert body["additionalProperties"] is False
    assert "seller" not in json.dumps(body).lower()
