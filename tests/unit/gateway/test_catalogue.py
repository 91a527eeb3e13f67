"""The bucket from which the quota of an operation is read."""

from dataclasses import replace

import pytest
from sellergate_common.sites import Sites
from sellergate_gateway.catalogue import Operations
from sellergate_gateway.model import Account
from sellergate_gateway.quota.buckets import Buckets

from tests.fakes.gateway import ACCOUNT, CATALOGUE, PRODUCTION, RING, SANDBOX, local_replica

GRANTLESS = "notifications/v1/getDestinations"
SITES, BUCKETS = Sites(PRODUCTION, SANDBOX), Buckets(RING, 0.2)


@pytest.mark.parametrize(
    ("account", "user", "seen"),
    [
        (ACCOUNT, "", 3),
        (replace(ACCOUNT, user_id="u2", amazon_seller_id="OTHER"), "", 3),
        # Users of a shared application cannot make such calls, and do not see the operator's bucket.
        (ACCOUNT, "u1", 5),
        (replace(ACCOUNT, shared_application=False), "u1", 3),
    ],
)
async def test_only_a_caller_that_acts_for_the_application_sees_its_bucket(
    account: Account, user: str, seen: int
) -> None:
    quota = local_replica(lambda: 0.0).limiter
    operation = CATALOGUE.get(GRANTLESS)
    site = SITES.of("US", sandbox=False)
    for _ in range(2):
        await quota.acquire(BUCKETS.of(ACCOUNT, site, operation, background=False, grantless=True), 0.0)
    operations = Operations(CATALOGUE, SITES, BUCKETS, quota)
    found = await operations.quotas(account, [GRANTLESS], user, sandbox=False)
    assert [state.remaining for _, state in found] == [seen]
