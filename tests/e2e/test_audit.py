"""The audit log over gRPC: each event names caller, user and request, and all chains are intact."""

import pytest
from sellergate.account.v1.account_admin_service_pb2 import AuditEvent, ListAuditEventsRequest, VerifyAuditRequest
from sellergate.account.v1.account_admin_service_pb2_grpc import AccountAdminServiceStub
from sellergate_common.errors import InvalidRequest, NotAllowed, NotFound
from sellergate_common.rpc.channel import invoke, open_channel

from tests.e2e.conftest import Rest
from tests.e2e.sellers import Seller


async def events(stub: AccountAdminServiceStub, account_id: str, size: int) -> list[AuditEvent]:
    found: list[AuditEvent] = []
    token = ""
    while True:
        request = ListAuditEventsRequest(account_id=account_id, page_size=size, page_token=token)
        page = await invoke(stub.ListAuditEvents, request, dependency="account")
        found += page.events
        token = page.next_page_token
        if not token:
            return found


async def test_an_operator_reads_events_and_verifies_the_chains(rest: Rest, seller: Seller) -> None:
    created = await rest.request("POST", "/api/amazon/accounts", "u1", json=seller.connection())
    account_id = created.json()["id"]
    called = await rest.request("GET", "/api/amazon/test/status", params={"amazonAccountId": account_id})
    deleted = await rest.request("DELETE", f"/api/amazon/accounts/{account_id}")
    async with open_channel(rest.suite.target("account"), "account", rest.suite.identity("operator"), []) as channel:
        stub = AccountAdminServiceStub(channel)
        seen = [
            (event.sequence, event.action, event.caller, event.on_behalf_of, event.request_id)
            for event in await events(stub, account_id, 1)
        ]
        assert seen == [
            (1, "account.created", "edge", "u1", created.headers["x-request-id"]),
            (2, "secrets.read", "token", "", called.headers["x-request-id"]),
            (3, "authorization.verified", "token", "", called.headers["x-request-id"]),
            (4, "account.deactivated", "edge", "u1", deleted.headers["x-request-id"]),
        ]
        whole = await events(stub, "", 2)
        assert [event.sequence for event in whole] == list(range(1, len(whole) + 1))
        assert f"account/{account_id}" in {event.subject for event in whole}
        one = await invoke(stub.VerifyAudit, VerifyAuditRequest(account_id=account_id), dependency="account")
        assert (one.checked, list(one.faults), one.fault_count) == (4, [], 0)
        everything = await invoke(stub.VerifyAudit, VerifyAuditRequest(), dependency="account")
        assert everything.checked >= len(whole) + 4
        assert not everything.faults
        with pytest.raises(NotFound):
            await invoke(stub.VerifyAudit, VerifyAuditRequest(account_id="nobody"), dependency="account")
        with pytest.raises(InvalidRequest) as caught:
            foreign = ListAuditEventsRequest(account_id="", page_token=await token_of(stub, account_id))
            await invoke(stub.ListAuditEvents, foreign, dependency="account")
        assert [violation.field for violation in caught.value.violations] == ["page_token"]


async def test_only_operators_read_the_log(rest: Rest) -> None:
    for name in ("client/demo", "token"):
        identity = rest.suite.identity(name)
        async with open_channel(rest.suite.target("account"), "account", identity, []) as channel:
            with pytest.raises(NotAllowed):
                stub = AccountAdminServiceStub(channel)
                await invoke(stub.ListAuditEvents, ListAuditEventsRequest(), dependency="account")


async def token_of(stub: AccountAdminServiceStub, account_id: str) -> str:
    request = ListAuditEventsRequest(account_id=account_id, page_size=1)
    return str((await invoke(stub.ListAuditEvents, request, dependency="account")).next_page_token)
