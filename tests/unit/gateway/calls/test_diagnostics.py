"""A check of an account, stage by stage, on fakes."""

from dataclasses import replace

import pytest
from sellergate_common.clock import Clock
from sellergate_common.errors import NotFound, PreconditionFailed, Unavailable
from sellergate_common.sites import Sites
from sellergate_gateway.calls.diagnostics import PROBE, CheckOptions, Checks, Stage
from sellergate_gateway.credentials.ports import Verified

from tests.fakes.gateway import ACCOUNT, CATALOGUE, PRODUCTION, ROLE, SANDBOX, Getting, World

NOW = 1e12 - 3600
QUIET = CheckOptions(exchange=False, call=False)


def checks(world: World) -> Checks:
    accounts, tokens = Getting(world.get_account), Getting(world.get_token, verify=world.verify)
    clock = Clock(wall=lambda: NOW)
    return Checks(world.calls, accounts, tokens, Getting(world.get_credentials), Sites(PRODUCTION, SANDBOX), clock)


def outcomes(stages: list[Stage]) -> dict[str, str]:
    return {stage.name: stage.outcome.value for stage in stages}


async def test_a_check_of_a_working_account_passes_every_stage() -> None:
    world = World(account=replace(ACCOUNT, iam_role_arn=ROLE))
    state, stages = await checks(world).check("a", "u1")
    assert (state, outcomes(stages)) == ("ACTIVE", dict.fromkeys(("stored", "token", "role", "call"), "OK"))
    operation = CATALOGUE.get(PROBE)
    assert operation is not None
    assert world.sent[0].url.endswith(operation.path)


async def test_a_check_skips_stages_that_are_excluded_or_not_needed() -> None:
    world = World()
    _, stages = await checks(world).check("a", "", QUIET)
    assert outcomes(stages) == {"stored": "OK", "token": "OK", "role": "SKIPPED", "call": "SKIPPED"}
    assert world.sent == []
    assert "verify" not in world.log


async def test_a_cached_result_is_reported_with_its_age_and_not_as_ok() -> None:
    world = World(account=replace(ACCOUNT, iam_role_arn=ROLE), expire_time=1e12 - 1200)
    _, stages = await checks(world).check("a", "", QUIET)
    assert outcomes(stages) == {"stored": "OK", "token": "CACHED", "role": "CACHED", "call": "SKIPPED"}
    assert [stage.age for stage in stages] == [None, 1200, 1200, None]
    world.verified = Verified(exchanged=False, age=42.0)
    _, stages = await checks(world).check("a", "")
    assert outcomes(stages) == {"stored": "OK", "token": "CACHED", "role": "CACHED", "call": "OK"}
    assert (stages[1].age, "60 s" in stages[1].reason) == (42.0, True)


async def test_a_grant_that_the_check_finds_refused_sets_the_accounts_state() -> None:
    state, stages = await checks(World(token_error=PreconditionFailed.revoked())).check("a", "")
    assert (state, outcomes(stages)["token"]) == ("AUTHORIZATION_REVOKED", "FAILED")


async def test_stages_after_the_first_failure_are_skipped() -> None:
    world = World(token_error=Unavailable("LWA does not respond."))
    _, stages = await checks(world).check("a", "")
    assert outcomes(stages) == {"stored": "OK", "token": "FAILED", "role": "SKIPPED", "call": "SKIPPED"}
    assert stages[1].reason == "DEPENDENCY_UNAVAILABLE: LWA does not respond."


async def test_an_account_that_cannot_be_used_fails_the_first_stage() -> None:
    world = World(account=replace(ACCOUNT, state="INACTIVE"))
    state, stages = await checks(world).check("a", "")
    assert (state, stages[0].outcome, stages[0].reason.partition(":")[0]) == ("INACTIVE", "FAILED", "ACCOUNT_INACTIVE")
    assert set(outcomes(stages[1:]).values()) == {"SKIPPED"}
    with pytest.raises(NotFound):
        await checks(world).check("a", "another user", QUIET)
    signs_without = World(account=replace(ACCOUNT, signing="SIGV4"))
    _, stages = await checks(signs_without).check("a", "")
    assert outcomes(stages) == {"stored": "OK", "token": "OK", "role": "FAILED", "call": "SKIPPED"}


@pytest.mark.parametrize("unsigned", [{}, {"iam_role_arn": ROLE, "signing": "NONE"}])
async def test_a_region_means_nothing_for_calls_that_are_not_signed(unsigned: dict[str, str]) -> None:
    world = World(account=replace(ACCOUNT, marketplace="DE", region="us-east-1", **unsigned))  # type: ignore[arg-type]
    _, stages = await checks(world).check("a", "")
    assert outcomes(stages) == {"stored": "OK", "token": "OK", "role": "SKIPPED", "call": "OK"}


async def test_a_region_other_than_the_marketplaces_is_a_warning_where_calls_are_signed() -> None:
    world = World(account=replace(ACCOUNT, marketplace="DE", region="us-east-1", iam_role_arn=ROLE))
    _, stages = await checks(world).check("a", "")
    assert outcomes(stages) == {"stored": "WARNING", "token": "OK", "role": "OK", "call": "OK"}
    assert "us-east-1" in stages[0].reason
    assert "eu-west-1" in stages[0].reason
