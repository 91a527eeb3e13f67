"""A call whose refused credentials cannot be replaced gets the error of their owner, and not Amazon's refusal of the old ones."""

import asyncio
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from sellergate_common.errors import OutOfTime, Reason, SellergateError, Unavailable
from sellergate_gateway.calls.follow_ups import LONGEST_SECONDS
from sellergate_gateway.model import AccessToken, Account, AwsCredentials
from sellergate_gateway.spapi.http import AmazonRequest, AmazonResponse

from tests.fakes.gateway import ACCOUNT, DENIED, EXPIRED, HTML, OK, READ, ROLE, WRITE, World, amazon_response
from tests.fakes.virtual_time import run_in_virtual_time

SIGNING = replace(ACCOUNT, iam_role_arn=ROLE)
ENDED = amazon_response(403, "Unauthorized", "The security token included in the request is expired.")
DOWN = Unavailable("down", metadata={"dependency": "owner"})
LATE = OutOfTime("The owner did not respond.", metadata={"dependency": "owner"})


@dataclass
class Frozen(World):
    """A world whose token service and iam freeze with Amazon's first response, for some seconds."""

    account: Account = SIGNING
    seconds_frozen: float = 3600.0
    error: SellergateError = field(default_factory=lambda: DOWN)

    async def send(self, request: AmazonRequest, seconds: float) -> AmazonResponse:
        self.token_error = self.role_error = self.error
        return await super().send(request, seconds)

    async def invalidate(self, account: Account, token: AccessToken) -> bool:
        await asyncio.sleep(self.seconds_frozen)
        return await super().invalidate(account, token)

    async def invalidate_credentials(self, account: Account, credentials: AwsCredentials) -> bool:
        await asyncio.sleep(self.seconds_frozen)
        return await super().invalidate_credentials(account, credentials)


@pytest.mark.parametrize("refusal", [ENDED, EXPIRED])
@pytest.mark.parametrize("as_is", [False, True])
@pytest.mark.parametrize(("error", "reason"), [(DOWN, Reason.DEPENDENCY_UNAVAILABLE), (LATE, Reason.DEADLINE_EXCEEDED)])
@pytest.mark.parametrize("left", [30.0, LONGEST_SECONDS / 2])
def test_an_owner_that_does_not_drop_refused_credentials_is_named(
    refusal: AmazonResponse, as_is: bool, error: SellergateError, reason: Reason, left: float
) -> None:
    async def scenario() -> None:
        world = Frozen(steps=[refusal, OK], error=error, left=left)
        found = await world.refused(WRITE, as_is=as_is)
        assert (found.reason, found.metadata["dependency"], len(world.sent)) == (reason, "owner", 1)

    run_in_virtual_time(scenario())


def test_the_end_of_an_attempt_that_amazon_may_have_executed_stays_the_result() -> None:
    async def scenario(**changes: Any) -> World:
        world = Frozen(steps=[HTML, ENDED, OK], error=DOWN)
        world.error = None  # type: ignore[assignment]
        first = world.send

        async def send(request: AmazonRequest, seconds: float) -> AmazonResponse:
            response = await first(request, seconds)
            world.error = DOWN if response is HTML else world.error
            return response

        world.send = send  # type: ignore[method-assign]
        if changes:
            assert (await world.make(READ, as_is=True)).response is HTML
        else:
            assert (await world.refused(READ)).reason is Reason.AMAZON_UNAVAILABLE
        return world

    for changes in ({}, {"as_is": True}):
        assert len(run_in_virtual_time(scenario(**changes)).sent) == 2


@pytest.mark.parametrize("refusal", [ENDED, EXPIRED, DENIED])
async def test_a_refusal_of_fresh_credentials_is_amazons(refusal: AmazonResponse) -> None:
    world = World(steps=[refusal], account=SIGNING)
    assert (await world.refused(WRITE)).reason is Reason.AMAZON_DENIED
    assert len(world.sent) == (1 if refusal is DENIED else 2)


async def test_a_token_that_is_refused_after_a_session_is_replaced_as_well() -> None:
    world = World(steps=[ENDED, EXPIRED, OK], account=SIGNING)
    assert (await world.make(WRITE)).attempts == 3
    again = World(steps=[ENDED, EXPIRED, ENDED, OK], account=SIGNING)
    assert (await again.refused(WRITE)).reason is Reason.AMAZON_DENIED
