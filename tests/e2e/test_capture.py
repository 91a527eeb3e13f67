"""`sellergate capture` against the running suite: an operator sees calls as they are made, without secrets."""

import asyncio
import json
import signal

import pytest
from sellergate.account.v1.account_admin_service_pb2 import ImportAccountsRequest
from sellergate.account.v1.account_admin_service_pb2_grpc import AccountAdminServiceStub
from sellergate.account.v1.account_service_pb2 import UpsertAccountRequest
from sellergate.gateway.v1.capture_service_pb2 import CaptureRequest
from sellergate.gateway.v1.capture_service_pb2_grpc import CaptureServiceStub
from sellergate_common.errors import NotAllowed
from sellergate_common.rpc.channel import invoke_stream, open_channel

from tests.e2e.conftest import Rest
from tests.e2e.operators import Operator
from tests.e2e.sellers import Seller

OPERATION, PATH = "sellers/v1/getMarketplaceParticipations", "sellers/v1/marketplaceParticipations"


@pytest.fixture
def operator(rest: Rest) -> Operator:
    found = Operator(rest.suite)
    found.environment["SELLERGATE_GATEWAY_TARGET"] = rest.suite.target("gateway")
    return found


async def test_calls_are_shown_as_they_are_made_and_the_capture_is_recorded(
    rest: Rest, seller: Seller, operator: Operator, fast: None
) -> None:
    account_id = await rest.connect(seller)
    process = operator.start("capture", "-o", OPERATION, "-a", account_id, "--for", "4s", "--json")
    assert process.stdout is not None
    assert process.stderr is not None
    line = await asyncio.to_thread(process.stderr.readline)
    assert line.startswith(f"Capturing {OPERATION} of {account_id} until "), line
    made = [
        await rest.request("GET", f"/api/amazon/accounts/{account_id}/sp-api/{path}")
        for path in (PATH, "sellers/v1/account")
    ]
    assert [response.status_code for response in made] == [200, 200]
    out, err = await asyncio.to_thread(process.communicate, timeout=30)
    assert process.returncode == 0, err
    (seen,) = map(json.loads, out.splitlines())
    assert (seen["path"], seen["http_status"], seen["failure"]) == (f"/{PATH}", 200, "")
    assert seen["request_id"] == made[0].headers["x-request-id"]
    assert json.loads(seen["response_body"])["payload"][0]["marketplace"]["id"] == seller.marketplace_id
    names = {header["name"].lower() for header in seen["request_headers"]}
    assert not names & {"x-amz-access-token", "authorization", "x-amz-security-token"}
    for secret in (*seller.secrets, "Atza|", "AKIA", "ASIA"):
        assert secret not in out
    listed = await asyncio.to_thread(operator.types, "audit", "list", account_id)
    assert "calls.captured" in listed.stdout
    assert f"{OPERATION} for 4 s, by operator" in listed.stdout


async def test_an_account_with_an_id_of_another_system_is_captured(
    rest: Rest, seller: Seller, operator: Operator, fast: None
) -> None:
    account_id = f"legacy_{seller.seller_id}"
    account = UpsertAccountRequest(
        user_id="u1",
        amazon_seller_id=seller.seller_id,
        marketplace=seller.marketplace,
        lwa_client_id=seller.client_id,
        lwa_client_secret=seller.client_secret,
        refresh_token=seller.refresh_token,
    )
    async with open_channel(rest.suite.target("account"), "account", rest.suite.identity("operator"), []) as channel:
        rows = iter([ImportAccountsRequest(account_id=account_id, account=account)])
        report = await AccountAdminServiceStub(channel).ImportAccounts(rows)
    assert report.created == 1, report
    process = operator.start("capture", "-o", OPERATION, "-a", account_id, "--for", "2s", "--json")
    assert process.stderr is not None
    await asyncio.to_thread(process.stderr.readline)
    await rest.request("GET", f"/api/amazon/accounts/{account_id}/sp-api/{PATH}")
    out, _ = await asyncio.to_thread(process.communicate, timeout=30)
    assert [json.loads(line)["http_status"] for line in out.splitlines()] == [200]
    assert f'"account_id":"{account_id}"' in rest.suite.log("gateway").read_text()


async def test_ctrl_c_ends_a_capture_in_every_replica(
    rest: Rest, seller: Seller, operator: Operator, fast: None
) -> None:
    account_id = await rest.connect(seller)
    process = operator.start("capture", "-o", OPERATION, "-a", account_id)
    assert process.stderr is not None
    await asyncio.to_thread(process.stderr.readline)
    await rest.request("GET", f"/api/amazon/accounts/{account_id}/sp-api/{PATH}")
    await asyncio.sleep(0.5)
    process.send_signal(signal.SIGINT)
    out, err = await asyncio.to_thread(process.communicate, timeout=30)
    assert process.returncode == 130
    assert "Interrupted." in err
    assert f"GET /{PATH} · 200 · " in out
    assert "Traceback" not in err


async def test_invalid_arguments_and_other_identities_are_refused(
    rest: Rest, seller: Seller, operator: Operator
) -> None:
    account_id = await rest.connect(seller)
    for words, code, message in (
        (("-o", OPERATION, "-a", account_id, "--for", "2h"), 2, "30m"),
        (("-o", OPERATION, "-a", account_id, "--for", "soon"), 2, "90s"),
        (("-o", "nothing", "-a", account_id), 1, "OPERATION_NOT_FOUND"),
        (("-o", OPERATION, "-a", "nobody"), 1, "ACCOUNT_NOT_FOUND"),
    ):
        done = await asyncio.to_thread(operator.types, "capture", *words)
        assert (done.returncode, message in done.stdout + done.stderr) == (code, True), done.stderr
    for name in ("client/demo", "edge"):
        async with open_channel(rest.suite.target("gateway"), "gateway", rest.suite.identity(name), []) as channel:
            request = CaptureRequest(account_id=account_id, operation=OPERATION)
            with pytest.raises(NotAllowed):
                async for _ in invoke_stream(
                    CaptureServiceStub(channel).Capture, request, dependency="gateway", seconds=5
                ):
                    pass
