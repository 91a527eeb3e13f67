"""Whose bucket the quota of an operation is read from."""

from dataclasses import replace

import pytest
from sellergate_common.sites import Sites
from sellergate_gateway.catalogue import Operations
from sellergate_gateway.model import Account
from sellergate_gateway.quota.buckets import Buckets
from sellergate_gateway.quota.limiter import LocalQuota

from tests.fakes.gateway import ACCOUNT, CATALOGUE, PRODUCTION, RING, SANDBOX

GRANTLESS = "notifications/v1/getDestinations"
SITES, BUCKETS = Sites(PRODUCTION, SANDBOX), Buckets(RING, 0.2)


@pytest.mark.parametrize(
    ("account", "user", "seen"),
    [
        (ACCOUNT, "", 2),
        (replace(ACCOUNT, user_id="u2", amazon_seller_id="OTHER"), "", 2),
        # Users of a shared application cannot make such calls, and do not see those of the operator.
        (ACCOUNT, "u1", 4),
        (replace(ACCOUNT, shared_application=False), "u1", 2),
    ],
)
async def test_the_applications_own_bucket_is_for_those_who_act_for_it(account: Account, user: str, seen: int) -> None:
    quota = LocalQuota(1.0, lambda: 0.0, "replica")
    operation = CATALOGUE.get(GRANTLESS)
    site = SITES.of("US", sandbox=False)
    for _ in range(2):
        await quota.enter(BUCKETS.of(ACCOUNT, site, operation, batch=False, grantless=True), 0.0)
    operations = Operations(CATALOGUE, SITES, BUCKETS, quota)
    found = await operations.quotas(account, [GRANTLESS], user, sandbox=False)
    assert [state.remaining for _, state in found] == [seen]
