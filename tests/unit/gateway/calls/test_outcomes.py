"""The table of outcomes: a call tests each cell in each response mode, and docs/outcomes.md shows the same table."""

import json
from dataclasses import replace

import pytest
from sellergate_common.errors import RULES, Reason, SellergateError
from sellergate_edge.dropin.amazon_errors import amazon_error
from sellergate_edge.routes.problems import problem
from sellergate_gateway.calls.outcomes import OUTCOMES, REPAIRABLE, Gap, Seen
from sellergate_gateway.calls.retries import MAX_ATTEMPTS
from sellergate_gateway.spapi.http import AmazonResponse, ConnectError, ResponseLost, ResponseOversized
from sellergate_gateway.spapi.request import SpApiCall
from sellergate_gateway.spapi.response import Kind

from tests.fakes.gateway import (
    BUSY,
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
from tests.paths import ROOT

SESSION = "The security token included in the request is expired"
PUT = SpApiCall("a", "PUT", "/listings/2021-08-01/items/S/sku", body=b"{}")
UNKNOWN = SpApiCall("a", "GET", "/new/api")
CALLS = [
    (READ, True),
    (PUT, True),
    (WRITE, False),
    (UNKNOWN, True),
    (replace(UNKNOWN, method="HEAD"), True),
    (replace(UNKNOWN, method="PUT"), True),
    (replace(UNKNOWN, method="DELETE"), True),
    (replace(UNKNOWN, method="POST"), False),
    (replace(UNKNOWN, method="PATCH"), False),
]
LARGE = ResponseOversized(AmazonResponse(200, (), b""))
LOST = ResponseLost("ServerDisconnectedError")
# One row of the page each: its first words on the page, Amazon's behaviour, and the observed outcome.
ROWS: list[tuple[str, list[Step], Seen]] = [
    ("2xx", [OK, AmazonResponse(204, (), b"")], Kind.SUCCESS),
    ("400, 413, 415", [amazon_response(n, "InvalidInput") for n in (301, 400, 413, 415, 422)], Kind.REFUSED),
    ("401, 403", [DENIED, amazon_response(401, "Unauthorized")], Kind.FORBIDDEN),
    ("403, the token", [EXPIRED], Kind.TOKEN_REFUSED),
    ("403, the session", [amazon_response(403, "Unauthorized", SESSION)], Kind.CREDENTIALS_REFUSED),
    ("403, the application", [amazon_response(403, "x", "The LWA secret has expired.")], Kind.CLIENT_REFUSED),
    ("404", [amazon_response(404, "NotFound"), amazon_response(404)], Kind.NOT_FOUND),
    ("408", [amazon_response(408, "RequestTimedOut"), amazon_response(408)], Kind.TIMED_OUT),
    ("409", [amazon_response(409, "Conflict")], Kind.CONFLICT),
    ("429", [THROTTLED, amazon_response(429)], Kind.THROTTLED),
    ("500, 502", [HTML, *(amazon_response(n, "InternalFailure") for n in (500, 502, 504))], Kind.SERVER_ERROR),
    ("503 of SP-API", [BUSY], Kind.UNAVAILABLE),
    ("nothing was sent: no", [ConnectError("ClientConnectorError")], Gap.NOT_SENT),
    ("nothing was sent: the gateway", [ConnectError("ClientConnectorError", own=True)], Gap.OWN_FAULT),
    ("sent: the response", [LOST], Gap.LOST),
    ("sent: the deadline", [LOST], Gap.LATE),
    ("a response above", [LARGE], Gap.TOO_LARGE),
]
CELLS = [
    pytest.param(step, seen, call, idempotent, id=f"{seen}-{n}-{call.method}-{'read' if idempotent else 'write'}-{m}")
    for _, steps, seen in ROWS
    for n, step in enumerate(steps)
    for m, (call, idempotent) in enumerate(CALLS)
]


def world_of(step: Step, seen: Seen, waits: list[float] | None = None) -> World:
    """Return a world in which Amazon does this; a deadline is so near that it explains a missing response."""
    world = World(steps=[step], waits=waits or [], left=0.09 if seen is Gap.LATE else 30.0)
    if seen is Kind.CREDENTIALS_REFUSED:
        world.account = replace(world.account, iam_role_arn=ROLE)
    return world


def attempts_of(seen: Seen, *, idempotent: bool) -> int:
    if seen in REPAIRABLE:
        return 1 if seen is Kind.FORBIDDEN else 2  # a 403 without a reason leads to no replacement here
    repeated = OUTCOMES[seen].is_repeated(idempotent=idempotent)
    return MAX_ATTEMPTS if repeated else 1


@pytest.mark.parametrize(("step", "seen", "call", "idempotent"), CELLS)
async def test_each_cell_of_the_table_is_what_a_call_returns(
    step: Step, seen: Seen, call: SpApiCall, idempotent: bool
) -> None:
    reason = OUTCOMES[seen].reason(idempotent=idempotent)
    world = world_of(step, seen)
    if reason is None:
        assert (await world.make(call)).response is step
    else:
        error = await world.refused(call)
        assert (error.reason, len(world.sent)) == (reason, attempts_of(seen, idempotent=idempotent))
        assert problem(error).status_code == RULES[reason].http_status
    as_is = world_of(step, seen)
    if isinstance(step, AmazonResponse):
        assert (await as_is.make(call, as_is=True)).response is step
    else:
        assert (await as_is.refused(call, as_is=True)).reason is reason


@pytest.mark.parametrize(("step", "seen", "call", "idempotent"), CELLS)
async def test_each_cell_holds_without_a_slot_for_another_attempt(
    step: Step, seen: Seen, call: SpApiCall, idempotent: bool
) -> None:
    reason = OUTCOMES[seen].reason(idempotent=idempotent)
    if reason is None:
        return
    replaced = seen in (Kind.TOKEN_REFUSED, Kind.CREDENTIALS_REFUSED)
    world = world_of(step, seen, [0.0, 60.0])
    error = await world.refused(call)
    assert (error.reason, len(world.sent)) == (Reason.LOCAL_QUOTA_EXCEEDED if replaced else reason, 1)
    if isinstance(step, AmazonResponse):
        assert (await world_of(step, seen, [0.0, 60.0]).make(call, as_is=True)).response is step


def test_the_page_shows_the_table() -> None:
    lines = (ROOT / "docs" / "outcomes.md").read_text().splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")][1:]
    assert len(rows) == len(ROWS) == len(OUTCOMES)
    for row, (begins, steps, seen) in zip(rows, ROWS, strict=True):
        name, repeated, *shown = row
        assert name.startswith(begins)
        outcome, passed_on = OUTCOMES[seen], isinstance(steps[0], AmazonResponse)
        if seen not in REPAIRABLE:
            words = {(True, True): "yes", (True, False): "reads", (False, False): "no"}
            assert repeated == words[outcome.is_repeated(idempotent=True), outcome.is_repeated(idempotent=False)]
        reasons = [outcome.read, outcome.write]
        assert shown == [
            *(f"`{reason}`" if reason else "success" for reason in reasons),
            "as it came" if passed_on else "as TYPED",
            *(_rest(reason) for reason in reasons),
            *("as it came" if passed_on else _dropin(reason) for reason in reasons),
        ]


def _rest(reason: Reason | None) -> str:
    return str(problem(_error(reason)).status_code) if reason else "as it came"


def _dropin(reason: Reason | None) -> str:
    assert reason is not None
    response = amazon_error(_error(reason))
    return f"{response.status_code} `{json.loads(response.body)['errors'][0]['code']}`"


def _error(reason: Reason) -> SellergateError:
    return RULES[reason].error("What happened, and what to do.", reason=reason)
