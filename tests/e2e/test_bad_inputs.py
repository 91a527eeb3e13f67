"""Bad requests: each is refused by field, and no row changes."""

import grpc
import httpx
import pytest
from sellergate.account.v1 import account_service_pb2 as accounts
from sellergate.account.v1.account_admin_service_pb2_grpc import AccountAdminServiceStub
from sellergate.account.v1.account_service_pb2_grpc import AccountServiceStub
from sellergate_common.errors import Reason
from sellergate_common.rpc.channel import open_channel
from sellergate_common.status import from_rpc_error

from tests.e2e import bad_accounts, bad_applications, bad_clients, bad_imports
from tests.e2e.bad_inputs import Bad, World, dump
from tests.e2e.conftest import Rest
from tests.e2e.sellers import Seller

CASES = (*bad_accounts.CASES, *bad_applications.CASES, *bad_clients.CASES)


@pytest.fixture(scope="module")
async def world(rest: Rest, control: httpx.AsyncClient) -> World:
    return await World.made(rest, await Seller.seeded(control))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_a_bad_request_is_refused_by_field_and_changes_no_row(world: World, case: Bad) -> None:
    before = dump(world.rest.suite)
    case.check(world, await case.refusal(world))
    assert dump(world.rest.suite) == before


async def test_an_oversized_message_is_refused_before_it_is_read(world: World) -> None:
    huge = accounts.GetAccountRequest(account_id="x" * 17 * 1024 * 1024)
    before = dump(world.rest.suite)
    suite = world.rest.suite
    # A foreign client, without the limit of Sellergate's own clients.
    options = [("grpc.ssl_target_name_override", "account.sellergate")]
    credentials = suite.identity("operator").channel_credentials()
    async with grpc.aio.secure_channel(suite.target("account"), credentials, options=options) as channel:
        call = AccountServiceStub(channel).GetAccount
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(huge, timeout=20)
    assert from_rpc_error(caught.value, "account").reason is Reason.INVALID_REQUEST
    assert len(caught.value.details() or "") < 200
    assert dump(world.rest.suite) == before


async def test_bad_rows_of_an_import_are_reported_by_field_and_none_is_stored(world: World) -> None:
    suite, expected = world.rest.suite, list(bad_imports.rows(world))
    before = dump(suite)
    async with open_channel(suite.target("account"), "account", suite.identity("operator"), []) as channel:
        rows = (row for _, row in expected)
        report = await AccountAdminServiceStub(channel).ImportAccounts(rows, timeout=30)
    assert [(note.index, note.field) for note in report.refusals] == [
        (index, field) for index, (field, _) in enumerate(expected)
    ]
    assert (report.created, report.unchanged) == (0, 0)
    for note in report.refusals:
        assert note.description
        assert len(note.SerializeToString()) < 500
        assert bad_imports.SECRET not in note.description
    assert dump(suite) == before
