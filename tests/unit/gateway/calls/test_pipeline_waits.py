"""Waits of a call: its account is checked again after each, and a call that is not sent cancels its slot."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from sellergate_common.cache.lru import MAX_STALENESS_SECONDS
from sellergate_common.cache.stale_if_error import StaleIfErrorCache
from sellergate_common.errors import NotFound, Reason, SellergateError, Unavailable
from sellergate_gateway.model import AccessToken, Account
from sellergate_gateway.quota.limiter import RateLimiter
from sellergate_gateway.quota.ports import Admission, BucketSet
from sellergate_gateway.spapi.http import AmazonRequest, AmazonResponse
from sellergate_gateway.spapi.request import SpApiCall

from tests.fakes.gateway import ACCOUNT, BUSY, OK, World, local_replica
from tests.fakes.virtual_time import run_in_virtual_time

CALL = SpApiCall("a", operation="fba-inventory/v1/getInventorySummaries")
GRANTLESS = SpApiCall("a", operation="notifications/v1/getDestinations")


@dataclass
class Waiting(World):
    """A world whose account changes while a call waits for quota."""

    after: Account | SellergateError = ACCOUNT

    async def acquire(self, buckets: BucketSet, longest: float) -> Admission:
        admission = await super().acquire(buckets, longest)
        if isinstance(self.after, Account):
            self.account = self.after
        return admission

    async def get_account(self, account_id: str) -> Account:
        if "quota" in self.log and isinstance(self.after, SellergateError):
            raise self.after
        return await super().get_account(account_id)


@pytest.mark.parametrize(
    ("after", "user", "reason"),
    [
        (NotFound.account("a"), "", Reason.ACCOUNT_NOT_FOUND),
        (replace(ACCOUNT, state="INACTIVE"), "", Reason.ACCOUNT_INACTIVE),
        (replace(ACCOUNT, state="AUTHORIZATION_REVOKED"), "", Reason.AUTHORIZATION_REVOKED),
        (replace(ACCOUNT, user_id="u2"), "u1", Reason.ACCOUNT_NOT_FOUND),
        (replace(ACCOUNT, user_id="u2"), "", Reason.ETAG_MISMATCH),
        (replace(ACCOUNT, application_id="another"), "u1", Reason.ETAG_MISMATCH),
        (replace(ACCOUNT, amazon_seller_id="ANOTHER"), "", Reason.ETAG_MISMATCH),
        (replace(ACCOUNT, marketplace="DE"), "", Reason.ETAG_MISMATCH),
        (replace(ACCOUNT, sandbox=True), "", Reason.ETAG_MISMATCH),
        (Unavailable("The account service is down."), "", Reason.DEPENDENCY_UNAVAILABLE),
    ],
)
async def test_a_call_is_refused_if_its_account_changed_during_the_wait(
    after: Account | SellergateError, user: str, reason: Reason
) -> None:
    world = Waiting(waits=[3.0], after=after)
    assert (await world.refused(CALL, user)).reason is reason
    assert (world.sent, world.log[-1]) == ([], "cancel quota")


async def test_a_user_that_lost_the_application_during_the_wait_is_refused() -> None:
    own = replace(ACCOUNT, shared_application=False)
    world = Waiting(account=own, waits=[3.0], after=ACCOUNT)
    assert (await world.refused(GRANTLESS, "u1")).reason is Reason.CALLER_NOT_ALLOWED
    assert world.sent == []


async def test_a_new_authorization_is_used_after_the_wait() -> None:
    world = Waiting(waits=[3.0], after=replace(ACCOUNT, revision=2, iam_role_arn="arn:aws:iam::123456789012:role/x"))
    await world.make(CALL)
    assert world.log[-3:] == ["credentials", "sign us-east-1", "send"]


@dataclass
class Slow(World):
    """A world in which the fetch of the first token takes some seconds."""

    async def get_token(self, account: Account) -> AccessToken:
        if "token" not in self.log:
            self.left -= 10.0
            self.account = replace(ACCOUNT, state="INACTIVE")
        return await super().get_token(account)


async def test_the_account_is_checked_again_after_a_wait_for_a_token() -> None:
    world = Slow()
    assert (await world.refused(CALL)).reason is Reason.ACCOUNT_INACTIVE
    assert world.sent == []


@dataclass
class Refusing(World):
    """A world whose account is deactivated while a call waits for its next attempt."""

    async def send(self, request: AmazonRequest, seconds: float) -> AmazonResponse:
        self.left -= 5.0
        self.account = replace(ACCOUNT, state="INACTIVE")
        return await super().send(request, seconds)


async def test_the_account_is_checked_again_after_the_pause_before_a_retry() -> None:
    world = Refusing(steps=[BUSY, OK])
    assert ((await world.refused(CALL)).reason, len(world.sent)) == (Reason.ACCOUNT_INACTIVE, 1)


@dataclass
class Late(World):
    """A world in which a wait uses up the caller's time."""

    async def acquire(self, buckets: BucketSet, longest: float) -> Admission:
        admission = await super().acquire(buckets, longest)
        self.left = 0.0
        return admission


async def test_each_call_that_is_not_sent_cancels_its_slot() -> None:
    late = Late(waits=[1.0])
    assert (await late.refused(CALL)).reason is Reason.DEADLINE_EXCEEDED
    assert late.log[-1] == "cancel quota"


@dataclass
class Storm(World):
    """A world with real quota, a real copy of the account, and a clock."""

    quota: RateLimiter | None = None
    copies: StaleIfErrorCache[Account] | None = None
    deleted_at: float | None = None
    sent_at: list[float] = field(default_factory=list)

    async def acquire(self, buckets: BucketSet, longest: float) -> Admission:
        assert self.quota
        return await self.quota.acquire(buckets, longest)

    def cancel(self, admission: Admission) -> None:
        assert self.quota
        self.quota.cancel(admission)

    async def get_account(self, account_id: str) -> Account:
        assert self.copies
        return await self.copies.get(account_id, self.fetch_account)

    async def fetch_account(self) -> Account:
        if self.deleted_at is not None:
            raise NotFound.account("a")
        return self.account

    async def send(self, request: AmazonRequest, seconds: float) -> AmazonResponse:
        self.sent_at.append(asyncio.get_running_loop().time())
        return OK


@pytest.mark.parametrize(("is_notified", "bound"), [(True, 0.0), (False, MAX_STALENESS_SECONDS)])
def test_waiting_calls_of_a_deleted_account_are_not_sent(is_notified: bool, bound: float) -> None:
    """300 calls at two per second. After two seconds the account is deleted, with or without a published change."""

    async def scenario() -> None:
        now = asyncio.get_running_loop().time
        world = Storm(left=600.0, quota=local_replica(now).limiter, copies=StaleIfErrorCache(now, lambda: is_notified))
        calls = world.calls
        waiting = [asyncio.create_task(calls.make(CALL, "")) for _ in range(300)]
        await asyncio.sleep(2)
        world.deleted_at = now()
        if is_notified:
            assert world.copies
            world.copies.forget("a")
        results: list[Any] = await asyncio.gather(*waiting, return_exceptions=True)
        reasons = Counter(getattr(result, "reason", "sent") for result in results)
        assert set(reasons) == {"sent", Reason.ACCOUNT_NOT_FOUND}
        assert reasons["sent"] == len(world.sent_at) < 20
        assert max(world.sent_at) <= world.deleted_at + bound

    run_in_virtual_time(scenario())
