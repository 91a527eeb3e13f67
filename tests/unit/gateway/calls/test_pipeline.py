"""The pipeline of a call on fakes: the order of steps, retries, replaced credentials, and the errors of callers."""

import math
from dataclasses import replace

import pytest
from sellergate_common.errors import Reason, Unavailable
from sellergate_gateway.calls.retries import MAX_ATTEMPTS
from sellergate_gateway.calls.sending import RESERVE_SECONDS
from sellergate_gateway.calls.state import CallResult
from sellergate_gateway.rpc.call_messages import to_forwarded_response
from sellergate_gateway.spapi.http import AmazonResponse, ConnectError, ResponseLost, ResponseOversized
from sellergate_gateway.spapi.request import SpApiCall

from tests.fakes.gateway import (
    ACCOUNT,
    BUSY,
    CATALOGUE,
    DENIED,
    EXPIRED,
    HTML,
    OK,
    READ,
    ROLE,
    THROTTLED,
    WRITE,
    Step,
    World,
    amazon_response,
)


async def test_quota_is_reserved_after_steps_that_can_fail_and_before_signing() -> None:
    world = World(account=replace(ACCOUNT, iam_role_arn=ROLE, marketplace="DE"))
    done = await world.make()
    assert world.log == ["account", "token", "credentials", "quota", "sign eu-west-1", "send"]
    assert (done.response, done.operation, done.attempts, done.waited) == (
        OK,
        CATALOGUE.get("orders/v0/getOrders"),
        1,
        0,
    )
    assert world.sent[0].url == "https://eu.test/orders/v0/orders"
    assert dict(world.sent[0].headers) == {"x-amz-access-token": "Atza|1", "authorization": "signed"}


async def test_after_a_wait_account_and_token_are_read_again() -> None:
    world = World(waits=[12.0])
    done = await world.make()
    assert world.log == ["account", "token", "quota", "account", "token", "send"]
    assert done.waited == 12.0


@pytest.mark.parametrize("broken", ["token_error", "role_error"])
async def test_an_account_that_cannot_be_used_wastes_no_slot(broken: str) -> None:
    error = Unavailable("down")
    world = World(account=replace(ACCOUNT, iam_role_arn=ROLE), **{broken: error})  # type: ignore[arg-type]
    assert await world.refused() is error
    assert "quota" not in world.log


@pytest.mark.parametrize(
    ("signing", "role", "signed"),
    [("AUTO", ROLE, True), ("AUTO", "", False), ("NONE", ROLE, False), ("SIGV4", ROLE, True)],
)
async def test_the_signing_mode_decides_whether_a_call_is_signed(signing: str, role: str, signed: bool) -> None:
    world = World(account=replace(ACCOUNT, signing=signing, iam_role_arn=role))
    await world.make()
    assert ("sign us-east-1" in world.log) is signed


async def test_an_account_that_must_sign_without_a_role_is_refused() -> None:
    error = await World(account=replace(ACCOUNT, signing="SIGV4")).refused()
    assert error.reason is Reason.INVALID_REQUEST
    assert "iam_role_arn" in error.message


@pytest.mark.parametrize(
    ("state", "user", "reason"),
    [
        ("ACTIVE", "u2", Reason.ACCOUNT_NOT_FOUND),
        ("INACTIVE", "u2", Reason.ACCOUNT_NOT_FOUND),
        ("INACTIVE", "u1", Reason.ACCOUNT_INACTIVE),
        ("AUTHORIZATION_REVOKED", "", Reason.AUTHORIZATION_REVOKED),
    ],
)
async def test_accounts_that_cannot_be_used_are_refused(state: str, user: str, reason: Reason) -> None:
    world = World(account=replace(ACCOUNT, state=state))
    assert (await world.refused(user=user)).reason is reason
    assert world.log == ["account"]


GRANTLESS = SpApiCall("a", operation="notifications/v1/getDestinations")


async def test_a_grantless_call_uses_the_applications_token_and_bucket() -> None:
    world = World(account=replace(ACCOUNT, state="AUTHORIZATION_REVOKED"))
    await world.make(GRANTLESS)
    assert world.log == ["account", "grantless app sellingpartnerapi::notifications", "quota", "send"]
    assert ("x-amz-access-token", "Atza|grantless") in world.sent[0].headers
    world.account = replace(world.account, amazon_seller_id="ANOTHER")
    await world.make(GRANTLESS)
    assert world.buckets[0].all == world.buckets[1].all


async def test_a_caller_may_choose_the_kind_of_token() -> None:
    world = World()
    await world.make(GRANTLESS, token_kind="SELLER")
    assert world.log == ["account", "token", "quota", "send"]
    await world.make(GRANTLESS, user="u1", token_kind="SELLER")
    other = World(account=replace(ACCOUNT, user_id="u2"))
    await other.make(GRANTLESS, user="u2", token_kind="SELLER")
    assert other.buckets[0].all != world.buckets[0].all, "the call counts for the seller, not for the application"
    revoked = World(account=replace(ACCOUNT, state="AUTHORIZATION_REVOKED"))
    assert (await revoked.refused(GRANTLESS, token_kind="SELLER")).reason is Reason.AUTHORIZATION_REVOKED
    await revoked.make(GRANTLESS, token_kind="GRANTLESS")
    error = await world.refused(READ, token_kind="GRANTLESS")
    assert (error.reason, error.violations[0].field) == (Reason.INVALID_REQUEST, "token_kind")
    assert (await world.refused(GRANTLESS, user="u1", token_kind="GRANTLESS")).reason is Reason.CALLER_NOT_ALLOWED


async def test_a_refused_grantless_token_is_replaced_once_if_amazon_names_the_token() -> None:
    invalidated = "invalidate app sellingpartnerapi::notifications Atza|grantless"
    world = World(steps=[EXPIRED, OK])
    assert (await world.make(GRANTLESS)).attempts == 2
    assert (world.log.count(invalidated), "invalidate" in world.log) == (1, False)
    again = World(steps=[EXPIRED])
    assert (await again.refused(GRANTLESS)).reason is Reason.AMAZON_DENIED
    assert (again.log.count("send"), again.log.count(invalidated)) == (2, 1)
    denied = World(steps=[DENIED])
    assert (await denied.refused(GRANTLESS)).reason is Reason.AMAZON_DENIED
    assert (denied.log.count("send"), denied.log.count(invalidated)) == (1, 0)


async def test_a_grantless_token_without_a_replacement_is_not_sent_again() -> None:
    world = World(steps=[EXPIRED], replaces_grantless=False)
    assert (await world.refused(GRANTLESS)).reason is Reason.AMAZON_DENIED
    assert world.log.count("send") == 1


async def test_a_user_may_not_act_for_a_shared_application() -> None:
    world = World()
    assert (await world.refused(GRANTLESS, user="u1")).reason is Reason.CALLER_NOT_ALLOWED
    assert world.log == ["account"]
    world = World(account=replace(ACCOUNT, shared_application=False))
    await world.make(GRANTLESS, user="u1")
    assert world.log[1] == "grantless app sellingpartnerapi::notifications"


@pytest.mark.parametrize(
    ("account", "call", "host"), [(False, True, "sandbox.na"), (True, None, "sandbox.na"), (True, False, "na")]
)
async def test_the_sandbox_is_chosen_by_call_or_account(account: bool, call: bool | None, host: str) -> None:
    world = World(account=replace(ACCOUNT, sandbox=account))
    await world.make(sandbox=call)
    assert world.sent[0].url.startswith(f"https://{host}.test/")


# A call that Amazon did not execute is sent again; one that it may have executed only if a repeat does no harm.
RESET, REFUSED = ResponseLost("ServerDisconnectedError"), ConnectError("ClientConnectorError")
TOO_LARGE = ResponseOversized(AmazonResponse(201, (("x-amzn-RequestId", "r-1"),), b""))
_RETRIED, _ONCE = MAX_ATTEMPTS, 1


@pytest.mark.parametrize(
    ("step", "call", "attempts", "reason"),
    [
        (THROTTLED, READ, _RETRIED, Reason.AMAZON_QUOTA_EXCEEDED),
        (THROTTLED, WRITE, _RETRIED, Reason.AMAZON_QUOTA_EXCEEDED),
        (BUSY, READ, _RETRIED, Reason.AMAZON_UNAVAILABLE),
        (BUSY, WRITE, _RETRIED, Reason.AMAZON_UNAVAILABLE),
        (REFUSED, READ, _RETRIED, Reason.AMAZON_UNAVAILABLE),
        (REFUSED, WRITE, _RETRIED, Reason.AMAZON_UNAVAILABLE),
        (HTML, READ, _RETRIED, Reason.AMAZON_UNAVAILABLE),
        (HTML, WRITE, _ONCE, Reason.AMAZON_OUTCOME_UNKNOWN),
        (amazon_response(500, "InternalFailure"), READ, _RETRIED, Reason.AMAZON_UNAVAILABLE),
        (amazon_response(500, "InternalFailure"), WRITE, _ONCE, Reason.AMAZON_OUTCOME_UNKNOWN),
        (amazon_response(504), WRITE, _ONCE, Reason.AMAZON_OUTCOME_UNKNOWN),
        (RESET, READ, _RETRIED, Reason.AMAZON_UNAVAILABLE),
        (RESET, WRITE, _ONCE, Reason.AMAZON_OUTCOME_UNKNOWN),
        (TOO_LARGE, READ, _ONCE, Reason.AMAZON_RESPONSE_TOO_LARGE),
        (TOO_LARGE, WRITE, _ONCE, Reason.AMAZON_RESPONSE_TOO_LARGE),
        (amazon_response(400, "InvalidInput"), READ, _ONCE, Reason.AMAZON_REJECTED),
        (amazon_response(403, "Unauthorized"), READ, _ONCE, Reason.AMAZON_DENIED),
        (amazon_response(404, "NotFound"), WRITE, _ONCE, Reason.AMAZON_NOT_FOUND),
        (EXPIRED, READ, 2, Reason.AMAZON_DENIED),
        (EXPIRED, WRITE, 2, Reason.AMAZON_DENIED),
    ],
)
async def test_the_number_of_attempts_of_a_failing_call(
    step: Step, call: SpApiCall, attempts: int, reason: Reason
) -> None:
    world = World(steps=[step])
    error = await world.refused(call)
    assert (len(world.sent), error.reason) == (attempts, reason)
    assert world.log.count("quota") == attempts
    if isinstance(step, AmazonResponse):
        as_is = World(steps=[step])
        done = await as_is.make(call, as_is=True)
        assert (done.response, done.attempts) == (step, attempts)


async def test_a_fault_of_this_process_is_reported_as_such_and_opens_no_breaker() -> None:
    world = World(steps=[ConnectError("ClientConnectorError", own=True)])
    for _ in range(30):
        error = await world.refused(WRITE)
    assert (error.reason, error.metadata["dependency"]) == (Reason.DEPENDENCY_UNAVAILABLE, "gateway")
    assert world.breakers.state() == {}


async def test_an_expired_client_secret_is_the_applications_fault() -> None:
    expired = amazon_response(403, "Unauthorized", "The LWA secret token you provided has expired.")
    world = World(steps=[expired])
    error = await world.refused(WRITE)
    assert (error.reason, len(world.sent)) == (Reason.LWA_CLIENT_REJECTED, 1)
    assert "rotate" in error.message


async def test_a_result_holds_the_number_of_attempts() -> None:
    world = World(steps=[THROTTLED, BUSY, REFUSED, OK])
    assert (await world.make(WRITE)).attempts == 4


async def test_an_expired_token_is_replaced_once_for_a_write_too() -> None:
    world = World(steps=[EXPIRED, OK])
    done = await world.make(WRITE)
    assert done.attempts == 2
    assert world.log.count("invalidate") == 1
    assert [dict(request.headers)["x-amz-access-token"] for request in world.sent] == ["Atza|1", "Atza|2"]
    again = World(steps=[EXPIRED])
    assert "fresh access token" in (await again.refused()).message
    assert again.log.count("invalidate") == 1


async def test_an_unknown_outcome_is_an_error_in_as_is_mode_too() -> None:
    assert (await World(steps=[RESET]).refused(WRITE, as_is=True)).reason is Reason.AMAZON_OUTCOME_UNKNOWN


async def test_a_429_empties_the_bucket_for_an_interval_or_retry_after() -> None:
    world = World(steps=[THROTTLED, amazon_response(429, "QuotaExceeded", retry_after="0.01"), OK])
    await world.make()
    assert world.drained == [pytest.approx(1 / 0.0167), 0.01]


async def test_without_a_slot_in_time_after_a_429_the_result_is_amazons_429() -> None:
    world = World(steps=[THROTTLED], waits=[0.0, 60.0])
    error = await world.refused(max_wait=0.0)
    assert (error.reason, len(world.sent)) == (Reason.AMAZON_QUOTA_EXCEEDED, 1)
    assert error.retry_after == pytest.approx(1 / 0.0167)
    as_is = World(steps=[THROTTLED], waits=[0.0, 60.0])
    assert (await as_is.make(max_wait=0.0, as_is=True)).response is THROTTLED


async def test_without_any_slot_in_time_the_error_is_sellergates() -> None:
    world = World(waits=[60.0])
    error = await world.refused()
    assert (error.reason, error.retry_after, world.sent) == (Reason.LOCAL_QUOTA_EXCEEDED, 60.0, [])
    assert error.metadata["operation"] == "orders/v0/getOrders"


async def test_the_longest_wait_is_the_callers_within_its_deadline() -> None:
    world = World(steps=[BUSY, OK], waits=[3.0, 2.0])
    await world.make(max_wait=5.0)
    assert world.allowed == [5.0, 2.0]
    assert World(left=30.0).allowed == []
    bounded = World(left=4.0)
    await bounded.make(max_wait=100.0)
    await bounded.make()
    assert bounded.allowed == [pytest.approx(4.0 - RESERVE_SECONDS)] * 2
    assert bounded.seconds == [pytest.approx(4.0 - RESERVE_SECONDS)] * 2


async def test_a_passed_deadline_is_reported_unless_a_writes_outcome_is_unknown() -> None:
    late = ResponseLost("no complete response within 0.0 s")
    assert (await World(steps=[late], left=0.06).refused()).reason is Reason.DEADLINE_EXCEEDED
    assert (await World(steps=[late], left=0.06).refused(WRITE)).reason is Reason.AMAZON_OUTCOME_UNKNOWN
    nothing = World(left=0.0)
    assert (await nothing.refused()).reason is Reason.DEADLINE_EXCEEDED
    assert nothing.sent == []


async def test_a_reported_rate_that_differs_updates_every_bucket() -> None:
    with_rate = replace(OK, headers=(("x-amzn-RateLimit-Limit", "16.7"),))
    world = World(steps=[with_rate])
    await world.make(background=True)
    await world.make(background=True)
    assert world.learned == [(2, 16.7)]
    same = World(steps=[replace(OK, headers=(("x-amzn-RateLimit-Limit", "0.0167"),))])
    await same.make()
    assert same.learned == []


async def test_the_bucket_of_an_unknown_path_follows_the_reported_rate() -> None:
    world = World(steps=[replace(OK, headers=(("x-amzn-RateLimit-Limit", "16.7"),))])
    assert (await world.make(path="/new/api")).operation is None
    assert world.learned == [(2, 16.7)]


async def test_the_refusal_of_an_unknown_path_explains_its_small_quota() -> None:
    error = await World(waits=[3.0]).refused(path="/new/api", max_wait=0.0)
    assert error.reason is Reason.LOCAL_QUOTA_EXCEEDED
    assert "catalogue lacks" in str(error)


async def test_a_write_with_an_oversized_response_is_reported_as_executed() -> None:
    world = World(steps=[TOO_LARGE])
    for _ in range(20):
        error = await world.refused(WRITE)
        assert "do not repeat a write" in error.message
        assert (error.metadata["http_status"], error.metadata["amazon_request_id"]) == ("201", "r-1")


async def test_amazons_429_has_a_retry_after_even_if_amazon_sends_none() -> None:
    world = World(steps=[THROTTLED], left=0.3)
    done = await world.make(as_is=True)
    operation = CATALOGUE.get("orders/v0/getOrders")
    assert operation is not None
    assert operation.rate
    assert done.retry_after == pytest.approx(1 / operation.rate)
    named = {name: value for name, value in to_response_headers(done) if name == "Retry-After"}
    assert named == {"Retry-After": str(math.ceil(1 / operation.rate))}
    result = await World(steps=[amazon_response(429, "QuotaExceeded", retry_after="7")], left=0.3).make(as_is=True)
    assert result.retry_after is None
    assert [value for name, value in to_response_headers(result) if name.lower() == "retry-after"] == ["7"]
    assert (await World().make(as_is=True)).retry_after is None


def to_response_headers(done: CallResult) -> list[tuple[str, str]]:
    return [(header.name, header.value) for header in to_forwarded_response(done).headers]
