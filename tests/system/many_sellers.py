"""Thousands of sellers of one user in a running suite, stored through the account service's import."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from sellergate.account.v1 import account_admin_service_pb2 as pb2
from sellergate.account.v1 import account_admin_service_pb2_grpc
from sellergate.account.v1.account_service_pb2 import UpsertAccountRequest
from sellergate_common.rpc.channel import invoke_client_stream, open_channel
from sellergate_devstack.suite import Suite

MARKETPLACES = ("US", "DE", "UK", "JP", "FR", "CA")
INACTIVE_EVERY = 50
SOON_EVERY = 40
_SECONDS = 600


def seller_id(number: int) -> str:
    """Return Amazon's ID of one of the sellers."""
    return f"A{number:05d}MANY{number * 7919 % 10007:05d}"


async def import_sellers(suite: Suite, user: str, count: int) -> None:
    """Store sellers 0 to `count` - 1: every 50th is inactive, and the authorization of every 40th ends within 30 days."""
    async with open_channel(suite.target("account"), "account", suite.identity("operator"), []) as channel:
        stub = account_admin_service_pb2_grpc.AccountAdminServiceStub(channel)
        rows = _rows(suite, user, count)
        report = await invoke_client_stream(stub.ImportAccounts, rows, dependency="account", seconds=_SECONDS)
    assert (report.created, list(report.refusals)) == (count, [])


def _rows(suite: Suite, user: str, count: int) -> Iterator[pb2.ImportAccountsRequest]:
    now = datetime.now(UTC)
    demo = suite.demo
    # Of a user's accounts the active ones come first, and of these the one with the newest change.
    for number in sorted(range(count), key=lambda number: (number % INACTIVE_EVERY == 0, number)):
        age = timedelta(hours=number * 8000 // count)
        days = 5 + number % 20 if number % SOON_EVERY == 1 else 40 + number % 300
        row = pb2.ImportAccountsRequest(
            account=UpsertAccountRequest(
                user_id=user,
                amazon_seller_id=seller_id(number),
                marketplace=MARKETPLACES[number % len(MARKETPLACES)],
                lwa_client_id=demo.client_id,
                lwa_client_secret=demo.client_secret.get_secret_value(),
                refresh_token=f"Atzr|{seller_id(number)}",
            ),
            inactive=number % INACTIVE_EVERY == 0,
        )
        row.account.authorization_expire_time.FromDatetime(now + timedelta(days=days))
        row.create_time.FromDatetime(now - age - timedelta(days=1))
        row.update_time.FromDatetime(now - age)
        yield row
