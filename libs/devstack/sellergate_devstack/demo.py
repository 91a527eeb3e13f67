"""The demo, which acts as a frontend once: it connects a seller, checks its status, and lists its orders."""

from collections.abc import Callable
from typing import Any, Protocol

import httpx
from sellergate_common.identity.tls import Identity

from sellergate_devstack.state import Demo

SECONDS = 30.0


class DemoSuite(Protocol):
    """The suite that the demo needs: processes of this machine, or containers."""

    @property
    def edge(self) -> str:
        """The edge's base URL."""

    @property
    def simulator(self) -> str | None:
        """The simulator's base URL; None when the suite calls Amazon."""

    @property
    def demo(self) -> Demo:
        """The demo seller."""

    @property
    def callback_url(self) -> str:
        """The redirect URI, to which Amazon sends browsers back."""

    def target(self, service: str) -> str:
        """Return the gRPC target of a service."""

    def identity(self, name: str) -> Identity:
        """Return the identity with this name."""

    def jwt(self, user_id: str) -> str:
        """Return a token of a user for the edge."""


class DemoFailed(Exception):
    """A refused step of the demo; the message names it and holds the problem document.

    `account_id` is that of the seller, who stays connected; empty: connecting failed.
    """

    account_id = ""


async def run_demo(suite: DemoSuite, report: Callable[[str], None]) -> str:
    """Run the demo, report its results, and return the account ID. Raises DemoFailed."""
    demo = suite.demo
    headers = {"Authorization": f"Bearer {suite.jwt(demo.user_id)}"}
    async with httpx.AsyncClient(base_url=suite.edge, headers=headers, timeout=SECONDS, trust_env=False) as client:
        new = {
            "amazonSellerId": demo.seller_id,
            "marketplace": demo.marketplace,
            "lwaClientId": demo.client_id,
            "lwaClientSecret": demo.client_secret.get_secret_value(),
            "refreshToken": demo.refresh_token.get_secret_value(),
            "iamRoleArn": demo.role_arn or None,
            "marketplaceIds": [demo.marketplace_id],
        }
        account = await _request(client, "POST", "/api/amazon/accounts", json=new)
        report(f"  seller connected   {account['amazonSellerId']} in {account['marketplace']}, account {account['id']}")
        account_id: str = account["id"]
        try:
            await _use(client, account_id, demo.marketplace_id, report)
        except DemoFailed as error:
            error.account_id = account_id
            raise
        return account_id


async def _use(client: httpx.AsyncClient, account_id: str, marketplace_id: str, report: Callable[[str], None]) -> None:
    """Check the account's status and list its orders. Raises DemoFailed."""
    of_account = {"amazonAccountId": account_id}
    status = await _request(client, "GET", "/api/amazon/test/status", params=of_account)
    stages = ", ".join(f"{stage['name']} {stage['outcome']}" for stage in status["stages"])
    failed = [stage for stage in status["stages"] if stage["outcome"] == "FAILED"]
    if failed:
        raise DemoFailed(f"status: {failed[0]['name']} failed: {failed[0]['reason']}")
    report(f"  status ok          {stages}")
    found = await _request(
        client, "GET", "/api/amazon/test/orders", params={**of_account, "marketplaceId": marketplace_id}
    )
    report(f"  orders listed      {len(found['orders'])} orders of the last 7 days by {found['operation']}")
    for order in found["orders"][:3]:
        number = order.get("orderId") or order.get("AmazonOrderId")
        when = order.get("createdTime") or order.get("PurchaseDate")
        report(f"                     {number}  {when}")


async def _request(client: httpx.AsyncClient, method: str, path: str, **given: Any) -> Any:
    """Return the JSON of a successful response. Raises DemoFailed with the problem document of any other."""
    try:
        response = await client.request(method, path, **given)
    except httpx.HTTPError as error:
        raise DemoFailed(f"{method} {path}: {type(error).__name__}") from error
    if not response.is_success:
        raise DemoFailed(f"{method} {path}: {response.status_code} {response.text}")
    return response.json()
