"""Bad rows of ImportAccounts: each is a refusal in the report, and the stream goes on."""

from collections.abc import Iterator, Mapping
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from sellergate.account.v1.account_admin_service_pb2 import ImportAccountsRequest
from sellergate.account.v1.account_service_pb2 import UpsertAccountRequest

from tests.e2e.bad_inputs import MEGABYTE, World

SECRET, CLIENT_SECRET = "Atzr|never-shown", "amzn1.oa2-cs.v1.never-shown"
# The field that the report names, and what is wrong with it.
ACCOUNT: tuple[tuple[str, Mapping[str, Any]], ...] = (
    ("account.iam_role_arn", {"iam_role_arn": "arn:aws:iam::123456789012:role/*"}),
    ("account.marketplace", {"marketplace": "XX"}),
    ("account.marketplace_ids[0]", {"marketplace_ids": ["A0"]}),
    ("account.marketplace_ids[1]", {"marketplace_ids": ["ATVPDKIKX0DER"] * 2}),
    ("account.user_id", {"user_id": "u\u202e1"}),
    ("account.user_id", {"user_id": MEGABYTE}),
    ("account.amazon_seller_id", {"amazon_seller_id": "' OR 1=1 --"}),
    ("account.refresh_token", {"refresh_token": ""}),
    ("account.refresh_token", {"refresh_token": SECRET + "\x00"}),
    ("account.signing_mode", {"signing_mode": 99}),
    ("account.authorization_expire_time", {"authorization_expire_time": Timestamp(seconds=10**12)}),
    ("account.lwa_client_id", {"lwa_client_id": ""}),
)
ROW: tuple[tuple[str, Mapping[str, Any]], ...] = (
    ("account_id", {"account_id": "a\0b"}),
    ("account_id", {"account_id": "x' OR '1'='1"}),
    ("account_id", {"account_id": MEGABYTE}),
    ("shared_application_id", {"use_shared_application": True, "shared_application_id": "none"}),
    ("shared_application_id", {"use_shared_application": True, "shared_application_id": MEGABYTE}),
    ("create_time", {"create_time": Timestamp(seconds=253_400_000_000)}),
    ("create_time", {"create_time": Timestamp(nanos=-1)}),
    ("update_time", {"update_time": Timestamp(seconds=253_400_000_000)}),
)


def rows(world: World) -> Iterator[tuple[str, ImportAccountsRequest]]:
    """Yield each row, and the field that the report must name."""
    good = {
        "user_id": world.user,
        "amazon_seller_id": "A9NEWSELLER",
        "marketplace": "US",
        "lwa_client_id": "amzn1.application-oa2-client.new",
        "lwa_client_secret": CLIENT_SECRET,
        "refresh_token": SECRET,
    }
    for field, changes in ACCOUNT:
        yield field, ImportAccountsRequest(account=UpsertAccountRequest(**{**good, **changes}))
    for field, changes in ROW:
        yield field, ImportAccountsRequest(account=UpsertAccountRequest(**good), **changes)
    yield "account", ImportAccountsRequest(account_id="a")
    taken = {**good, "amazon_seller_id": "A9OTHERSELLER"}
    yield "account_id", ImportAccountsRequest(account_id=world.account, account=UpsertAccountRequest(**taken))
