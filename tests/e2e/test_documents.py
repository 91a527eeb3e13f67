"""Documents through the gateway: downloads, uploads, resumed, expired and restricted ones; and whole report runs."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from typing import Any

import grpc
import httpx
import pytest
from redis.asyncio import Redis
from sellergate.gateway.v1 import call_pb2
from sellergate.gateway.v1 import gateway_service_pb2 as pb2
from sellergate.gateway.v1.gateway_service_pb2_grpc import GatewayServiceStub
from sellergate_common.errors import Reason, SellergateError
from sellergate_common.rpc.channel import from_rpc_error, invoke
from sellergate_devstack.suite import Suite

from tests.e2e.conftest import Rest
from tests.e2e.sellers import Seller
from tests.e2e.streams import all_of, text_of

pytestmark = pytest.mark.usefixtures("fast")

REPORT = "GET_MERCHANT_LISTINGS_ALL_DATA"
RESTRICTED = "GET_FLAT_FILE_ORDER_REPORT_DATA_SHIPPING"


async def run(gateway: GatewayServiceStub, account_id: str, report_type: str = REPORT, **more: Any) -> list[Any]:
    request = pb2.RunReportRequest(account_id=account_id, report_type=report_type, **more)
    return await all_of(gateway.RunReport(request, timeout=40))


async def download(
    gateway: GatewayServiceStub,
    account_id: str,
    document_id: str,
    kind: int = pb2.DOCUMENT_KIND_REPORT,
    seconds: float = 40,
) -> list[Any]:
    request = pb2.DownloadDocumentRequest(account_id=account_id, document_id=document_id, kind=kind)
    return await all_of(gateway.DownloadDocument(request, timeout=seconds))


async def document_of(gateway: GatewayServiceStub, account_id: str, report_id: str) -> str:
    call = call_pb2.CallRequest(account_id=account_id, method="GET", path=f"/reports/2021-06-30/reports/{report_id}")
    return str(json.loads((await invoke(gateway.Call, call, dependency="gateway")).body)["reportDocumentId"])


async def fault(control: httpx.AsyncClient, **given: Any) -> None:
    (await control.post("/control/faults", json=given)).raise_for_status()


async def count(control: httpx.AsyncClient, name: str) -> int:
    counters = (await control.get("/control/counters")).json()["operations"]
    return int(counters.get(name, {}).get("calls", 0))


async def test_a_report_from_request_to_bytes(rest: Rest, seller: Seller, gateway: GatewayServiceStub) -> None:
    account_id = await rest.connect(seller)
    messages = await run(gateway, account_id)
    parts = [message.WhichOneof("part") for message in messages]
    assert parts[0] == "progress"
    assert messages[0].progress.report_id
    assert [m.progress.processing_status for m in messages if m.WhichOneof("part") == "progress"][-1] == "DONE"
    (head,) = [message.head for message in messages if message.WhichOneof("part") == "head"]
    assert (head.charset, head.content_type) == ("utf-8", "text/plain; charset=UTF-8")
    assert head.size > 0
    lines = text_of(messages).decode().splitlines()
    assert lines[0].split("\t")[:2] == ["item-name", "seller-sku"]
    assert len(lines) == 41
    document_id = await document_of(gateway, account_id, messages[0].progress.report_id)
    again = await download(gateway, account_id, document_id)
    assert text_of(again) == text_of(messages)
    resumed = await run(gateway, account_id, "", resume_report_id=messages[0].progress.report_id)
    assert text_of(resumed) == text_of(messages)


async def test_simultaneous_requests_share_one_report(
    rest: Rest, seller: Seller, gateway: GatewayServiceStub, control: httpx.AsyncClient
) -> None:
    account_id, create = await rest.connect(seller), "reports/2021-06-30/createReport"
    before = await count(control, create)
    runs = await asyncio.gather(*(run(gateway, account_id, options={"a": "b"}) for _ in range(8)))
    assert len({messages[0].progress.report_id for messages in runs}) == 1
    assert len({text_of(messages) for messages in runs}) == 1
    assert await count(control, create) - before == 1
    again = await run(gateway, account_id, options={"a": "b"})
    assert again[0].progress.report_id != runs[0][0].progress.report_id, "that one is made; this is another"


async def test_a_report_that_amazon_fails_is_an_error(rest: Rest, seller: Seller, gateway: GatewayServiceStub) -> None:
    account_id = await rest.connect(seller)
    for outcome in ("FATAL", "CANCELLED"):
        with pytest.raises(SellergateError) as caught:
            await run(gateway, account_id, options={"simulator": outcome})
        assert caught.value.reason is Reason.AMAZON_REJECTED
        assert caught.value.metadata["processing_status"] == outcome
    with pytest.raises(SellergateError) as caught:
        await run(gateway, account_id, options={"simulator": "FATAL", "simulatorReason": "The time is too long."})
    assert "Amazon's reason: The time is too long." in caught.value.message
    assert caught.value.metadata["amazon_message"] == "The time is too long."
    for wrong, field in (
        ({"report_type": ""}, "report_type"),
        ({"marketplace_ids": ["A1PA6795UKMFR9"]}, "marketplace_ids[0]"),
    ):
        with pytest.raises(SellergateError) as caught:
            await run(gateway, account_id, **wrong)  # type: ignore[arg-type]
        assert caught.value.reason is Reason.INVALID_REQUEST
        assert caught.value.violations[0].field == field


async def test_a_restricted_report_is_fetched_with_a_restricted_token(
    rest: Rest, seller: Seller, gateway: GatewayServiceStub, control: httpx.AsyncClient, suite: Suite
) -> None:
    account_id, other = await rest.connect(seller), await rest.connect(seller, "u2")
    before = await count(control, "tokens/2021-03-01/createRestrictedDataToken")
    messages = await run(gateway, account_id, RESTRICTED)
    assert b"amazon-order-id" in text_of(messages)
    assert await count(control, "tokens/2021-03-01/createRestrictedDataToken") - before == 1
    # getReport reveals the document's report type. Without that call, a first refusal reveals it.
    document_id = await document_of(gateway, account_id, messages[0].progress.report_id)
    await suite_redis_forgets(suite)
    refused = await count(control, "reports/2021-06-30/getReportDocument")
    assert text_of(await download(gateway, other, document_id)) == text_of(messages)
    assert await count(control, "reports/2021-06-30/getReportDocument") - refused == 2


async def suite_redis_forgets(suite: Suite) -> None:
    url = suite.supervisor.processes["gateway"].environment["REDIS_URL"]
    async with Redis.from_url(url) as redis:
        for key in [key async for key in redis.scan_iter("rpt:*")]:
            await redis.delete(key)


async def test_a_document_survives_two_failures_and_an_expired_address(
    rest: Rest, seller: Seller, gateway: GatewayServiceStub, control: httpx.AsyncClient
) -> None:
    account_id = await rest.connect(seller)
    messages = await run(gateway, account_id, options={"simulatorBytes": "50000000"})
    document_id = await document_of(gateway, account_id, messages[0].progress.report_id)
    whole = hashlib.sha256(text_of(messages)).hexdigest()
    for kinds in (["document_cut"] * 2, ["document_expired"], ["document_cut", "document_expired", "document_cut"]):
        for kind in kinds:
            await fault(control, kind=kind, count=1)
        got = await download(gateway, account_id, document_id)
        assert hashlib.sha256(text_of(got)).hexdigest() == whole, kinds
    assert len(text_of(messages)) == 50_000_000
    assert max(len(message.chunk) for message in got) <= 256 * 1024


async def test_unavailable_documents_are_typed_errors(
    rest: Rest, seller: Seller, gateway: GatewayServiceStub, control: httpx.AsyncClient
) -> None:
    account_id = await rest.connect(seller)
    messages = await run(gateway, account_id)
    document_id = await document_of(gateway, account_id, messages[0].progress.report_id)
    for kind, requests in (("document_expired", 5), ("document_503", 1)):
        before = await count(control, "reports/2021-06-30/getReportDocument")
        await fault(control, kind=kind)
        with pytest.raises(SellergateError) as caught:
            await download(gateway, account_id, document_id, seconds=5 if kind == "document_503" else 40)
        assert caught.value.reason is Reason.AMAZON_UNAVAILABLE
        assert "X-Amz-Signature" not in repr(caught.value)
        assert await count(control, "reports/2021-06-30/getReportDocument") - before == requests
        (await control.request("DELETE", "/control/faults")).raise_for_status()
    for wrong in ("nothing", document_id):
        kind_of = pb2.DOCUMENT_KIND_REPORT if wrong == "nothing" else pb2.DOCUMENT_KIND_FEED
        with pytest.raises(SellergateError) as caught:
            await download(gateway, account_id, wrong, kind_of)
        assert caught.value.reason is Reason.AMAZON_NOT_FOUND


async def test_a_feed_is_uploaded_and_its_result_downloaded(
    rest: Rest, seller: Seller, gateway: GatewayServiceStub, control: httpx.AsyncClient
) -> None:
    account_id, body = await rest.connect(seller), b"sku\tprice\r\n" + b"a\t1\r\n" * 300_000

    async def upload(size: int, *, head: bool = True, data: bytes = body) -> str:
        async def sent() -> AsyncIterator[pb2.UploadDocumentRequest]:
            if head:
                about = pb2.UploadDocumentHead(
                    account_id=account_id, content_type="text/tab-separated-values; charset=UTF-8", size=size
                )
                yield pb2.UploadDocumentRequest(head=about)
            for start in range(0, len(data), 100_000):
                yield pb2.UploadDocumentRequest(chunk=data[start : start + 100_000])

        try:
            return str((await gateway.UploadDocument(sent(), timeout=30)).document_id)
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error, "gateway") from None

    async def call(path: str, document: Any = None) -> Any:
        method, sent = ("GET", b"") if document is None else ("POST", json.dumps(document).encode())
        request = call_pb2.CallRequest(account_id=account_id, method=method, path=path, body=sent)
        return json.loads((await invoke(gateway.Call, request, dependency="gateway")).body)

    for size in (0, len(body)):
        document_id = await upload(size)
        feed = {"feedType": "X", "marketplaceIds": [seller.marketplace_id], "inputFeedDocumentId": document_id}
        feed_id = (await call("/feeds/2021-06-30/feeds", feed))["feedId"]
        await asyncio.sleep(1)
        state = await call(f"/feeds/2021-06-30/feeds/{feed_id}")
        result = await download(gateway, account_id, state["resultFeedDocumentId"], pb2.DOCUMENT_KIND_FEED)
        assert json.loads(text_of(result))["summary"]["messagesProcessed"] == 300_001
    await fault(control, kind="document_503", count=2)
    assert await upload(0), "what is held is sent again"
    for size, sent in ((len(body) + 1, body), (len(body) - 1, body), (0, b"x" * 17_000_000)):
        with pytest.raises(SellergateError) as caught:
            await upload(size, data=sent)
        assert caught.value.reason is Reason.INVALID_REQUEST, caught.value
        assert caught.value.violations[0].field == "head.size"
    with pytest.raises(SellergateError) as caught:
        await upload(0, head=False)
    assert caught.value.reason is Reason.INVALID_REQUEST, caught.value
    assert caught.value.violations[0].field == "head"
