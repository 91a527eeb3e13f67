"""Bad requests to the REST edge: each problem document names the fault, and no row changes."""

import httpx
import pytest

from tests.e2e import bad_rest
from tests.e2e.bad_inputs import NO_ACCOUNT, World, dump
from tests.e2e.bad_rest import BadRest
from tests.e2e.conftest import Rest
from tests.e2e.sellers import Seller


@pytest.fixture(scope="module")
async def world(rest: Rest, control: httpx.AsyncClient) -> World:
    return await World.made(rest, await Seller.seeded(control))


@pytest.mark.parametrize("case", bad_rest.CASES, ids=lambda case: case.name)
async def test_a_bad_request_over_rest_is_refused_by_field_and_changes_no_row(world: World, case: BadRest) -> None:
    suite, given = world.rest.suite, dict(case.given_to(world))
    before = dump(suite)
    user = given.pop("user", world.user)
    response = await world.rest.request(case.method, case.path_of(world), user, **given)
    assert dump(suite) == before
    assert response.headers["content-type"] == "application/problem+json"
    assert (response.status_code, response.json()["reason"]) == (case.status, case.reason), response.text[:500]
    violations = response.json().get("violations", [])
    named = sorted({violation["field"] for violation in violations})
    assert violations if case.fields == "?" else named == case.fields.split(), response.text[:500]
    assert all(violation["description"] for violation in violations)
    assert response.json()["detail"] == NO_ACCOUNT if case.reason == "ACCOUNT_NOT_FOUND" else True
    assert len(response.content) < 8_192
    assert bad_rest.SECRET not in response.text
